package format

import "testing"

const coreDNSText = `[INFO] 10.244.0.7:50759 - 29008 "A IN api.openai.com. udp 41 false 4096" NOERROR qr,rd,ra 68 0.037990251s
2026-11-23T19:31:58.123456789Z stdout F [INFO] [2001:db8::7]:50759 - 29008 "HTTPS IN claude.ai. tcp 41 false 4096" NOERROR qr,rd,ra 68 0.03s
[INFO] plugin/reload: Running configuration SHA512 = "x"
[ERROR] plugin/errors: 2 api.openai.com. A: read udp 10.0.0.1:1->10.0.0.2:53: i/o timeout
[INFO] 10.244.0.7:50759 - 29008 "A IN"
`

func TestCoreDNS(t *testing.T) {
	expect(t, read(t, "coredns", testOptions(), coreDNSText),
		said{Result: "used", Kind: "dns", Protocol: "udp", Name: "api.openai.com", Client: "10.244.0.7:50759"},
		said{Result: "used", Time: "2026-11-23T19:31:58.123456789Z", Kind: "dns", Protocol: "tcp", Name: "claude.ai", Client: "[2001:db8::7]:50759"},
		said{Result: "ignored"}, said{Result: "ignored"}, said{Result: "too_short"},
	)
}
