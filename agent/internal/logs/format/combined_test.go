package format

import "testing"

const combinedText = `192.0.2.7 - dana [23/Nov/2026:19:31:58 +0000] "POST /v1/chat/completions?key=secret HTTP/1.1" 200 512 "https://app.example/?q=1" "python-requests/2.31"
192.0.2.7 - - [23/Nov/2026:19:31:58 +0100] "CONNECT api.openai.com:443 HTTP/1.1" 200 39 "-" "curl/8" TCP_TUNNEL:HIER_DIRECT
192.0.2.7 - - [23/Nov/2026:19:31:58 +0100] "CONNECT api.openai.com:443 HTTP/1.1" 403 39 "-" "curl/8" TCP_DENIED:HIER_NONE
192.0.2.7 - - [23/Nov/2026:19:31:58 +0100] "CONNECT api.openai.com:443 HTTP/1.1" 407 39 "-" "curl/8" TCP_DENIED:HIER_NONE
llm.lan:8080 2001:db8::7 - - [23/Nov/2026:19:31:58 +0000] "GET /v1/models HTTP/2.0" 200 - "-" "a \"b\" c"
192.0.2.7 - - [23/Nov/2026:19:31:58 +0000] "GET http://ollama.lan/api/tags HTTP/1.1" 200 5
192.0.2.7 - - [23/Nov/2026:19:31:58 +0000] "" 400 0 "-" "-"
192.0.2.7 - - [yesterday] "GET / HTTP/1.1" 200 5
192.0.2.7 - - [23/Nov/2026:19:31:58 +0000] "GET / HTTP/1.1
short
`

func TestCombined(t *testing.T) {
	expect(t, read(t, "combined", testOptions(), combinedText),
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Protocol: "tcp", Client: "192.0.2.7", Method: "POST", Path: "/v1/chat/completions", User: "dana", Down: 512},
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Protocol: "tcp", Name: "api.openai.com", Client: "192.0.2.7", Server: ":443", Method: "CONNECT", Down: 39},
		said{Result: "denied"}, said{Result: "ignored"},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Protocol: "tcp", Name: "llm.lan", Client: "2001:db8::7", Server: ":8080", Method: "GET", Path: "/v1/models"},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Protocol: "tcp", Name: "ollama.lan", Client: "192.0.2.7", Server: ":80", Method: "GET", Path: "/api/tags", Down: 5},
		said{Result: "nameless"}, said{Result: "bad_time"}, said{Result: "malformed"}, said{Result: "malformed"},
	)
}
