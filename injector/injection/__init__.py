"""Answer AdmissionReviews: pure, without clock, log, file or socket. Read `inject` first."""
