module github.com/gnomon-ai/gnomon/integration/bench/matching

go 1.26.8

replace github.com/gnomon-ai/gnomon => ../../..

require (
	github.com/AdguardTeam/urlfilter v0.5.0
	github.com/gnomon-ai/gnomon v0.0.0-00010101000000-000000000000
)

require (
	github.com/AdguardTeam/golibs v0.1.3 // indirect
	github.com/asaskevich/govalidator v0.0.0-20180720115003-f9ffefc3facf // indirect
	github.com/joomcode/errorx v0.8.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
