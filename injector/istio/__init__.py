"""What a release of Istio is: facts with sources, mesh configuration, values. Read `facts` first."""
