package format

import "testing"

const leefText = "LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\tdevTime=Nov 23 2026 19:31:58 GMT\tsrc=192.0.2.7\tdst=203.0.113.9\tsrcBytes=120\tdstBytes=4096\turl=api.openai.com/v1/chat?x=1\tusrName=dana\taction=Allowed\n" +
	"<13>1 2026-11-23T19:31:58Z gw app - - - LEEF:2.0|Vendor|Proxy|1|url|^|devTime=1700000000^src=2001:db8::7^srcPort=53211^dhost=claude.ai^proto=tcp^method=GET\n" +
	"LEEF:2.0|Vendor|Proxy|1|url|x09|src=192.0.2.7\turl=https://claude.ai/chat\n" +
	"LEEF:1.0|Vendor|Proxy|1|url|src=192.0.2.7\turl=https://claude.ai/chat\taction=deny\n" +
	"LEEF:1.0|Vendor\nnothing\n"

func TestLEEF(t *testing.T) {
	expect(t, read(t, "leef", testOptions(), leefText),
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Name: "api.openai.com", Client: "192.0.2.7", Server: "203.0.113.9", Path: "/v1/chat", User: "dana", Up: 120, Down: 4096},
		said{Result: "used", Time: "2023-11-14T22:13:20Z", Kind: "http", Protocol: "tcp", Name: "claude.ai", Client: "[2001:db8::7]:53211", Method: "GET"},
		said{Result: "used", Kind: "http", Name: "claude.ai", Client: "192.0.2.7", Server: ":443", Path: "/chat"},
		said{Result: "denied"}, said{Result: "too_short"}, said{Result: "malformed"},
	)
}
