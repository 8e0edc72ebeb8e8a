"""An AdmissionReview in, its answer out: pure, without clock, log, file or socket. Read `inject` first."""
