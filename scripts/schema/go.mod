module sidecar-injector/schema

go 1.24
