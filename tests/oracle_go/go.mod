module sidecar-injector/oracle

go 1.24

require github.com/hashicorp/go-version v1.9.0
