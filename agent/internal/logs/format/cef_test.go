package format

import "testing"

const cefText = `CEF:0|Zscaler|NSSWeblog|5.7|Allowed|Allowed|3|act=Allowed app=HTTPS cat=AI and ML dhost=api.openai.com dst=203.0.113.9 src=192.0.2.7 in=4096 outcome=200 out=120 request=api.openai.com/v1/chat/completions?k\=v rt=Nov 23 2026 19:31:58 requestClientApplication=python x/1 requestMethod=POST suser=dana@corp.example
<134>Nov 23 19:31:58 fw1 CEF:0|Palo Alto Networks|PAN-OS|11.1.0|url|THREAT|1|rt=Nov 23 2026 19:31:58 GMT src=192.0.2.7 dst=203.0.113.9 spt=53211 dpt=443 proto=tcp act=alert request=claude.ai/chat suser=corp\\dana in=100 out=200
CEF:0|Zscaler|NSSWeblog|5.7|Blocked|Blocked|3|act=Blocked dhost=claude.ai src=192.0.2.7 request=claude.ai/
CEF:0|Check Point|URL Filtering|R81|x|a\|b|3|rt=1700000000123 src=192.0.2.7 request=https://u:p@gemini.google.com/app?q=x y=z
CEF:0|too|short
no cef
CEF:0|a|b|c|d|e|f|msg=nothing of use
`

func TestCEF(t *testing.T) {
	expect(t, read(t, "cef", testOptions(), cefText),
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Name: "api.openai.com", Client: "192.0.2.7", Server: "203.0.113.9", Method: "POST", Path: "/v1/chat/completions", User: "dana@corp.example", Up: 120, Down: 4096},
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Protocol: "tcp", Name: "claude.ai", Client: "192.0.2.7:53211", Server: "203.0.113.9:443", Path: "/chat", User: `corp\dana`, Up: 100, Down: 200},
		said{Result: "denied"},
		said{Result: "used", Time: "2023-11-14T22:13:20.123Z", Kind: "http", Name: "gemini.google.com", Client: "192.0.2.7", Server: ":443", Path: "/app"},
		said{Result: "too_short"}, said{Result: "malformed"}, said{Result: "nameless"},
	)
}
