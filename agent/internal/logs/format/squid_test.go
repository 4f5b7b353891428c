package format

import "testing"

const squidText = `1700000000.123    456 192.0.2.7 TCP_TUNNEL/200 4567 CONNECT api.openai.com:443 dana HIER_DIRECT/203.0.113.9 -
1700000001.000     12 192.0.2.7 TCP_MISS/200 890 GET http://u:p@ollama.lan:11434/api/tags?x=1 - HIER_DIRECT/192.0.2.80 application/json
1700000002.000      1 192.0.2.7 TCP_DENIED/403 3900 CONNECT claude.ai:443 dana HIER_NONE/- text/html
1700000003.000      0 192.0.2.7 TCP_DENIED/407 4000 CONNECT claude.ai:443 - HIER_NONE/- text/html
1700000004.000      9 2001:db8::7 NONE_NONE/000 0 CONNECT [2001:db8::9]:443 - HIER_NONE/- -
1700000005.000      0 192.0.2.7 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -
1700000006.000      0 192.0.2.7 TCP_MISS/200 0 GET
yesterday      0 192.0.2.7 TCP_MISS/200 0 GET http://a/ - HIER_NONE/- -
`

func TestSquid(t *testing.T) {
	expect(t, read(t, "squid", testOptions(), squidText),
		said{Result: "used", Time: "2023-11-14T22:13:20.123Z", Kind: "http", Protocol: "tcp", Name: "api.openai.com", Client: "192.0.2.7", Server: "203.0.113.9:443", Method: "CONNECT", User: "dana", Down: 4567},
		said{Result: "used", Time: "2023-11-14T22:13:21Z", Kind: "http", Protocol: "tcp", Name: "ollama.lan", Client: "192.0.2.7", Server: "192.0.2.80:11434", Method: "GET", Path: "/api/tags", Down: 890},
		said{Result: "denied"}, said{Result: "ignored"},
		said{Result: "used", Time: "2023-11-14T22:13:24Z", Kind: "http", Protocol: "tcp", Name: "2001:db8::9", Client: "2001:db8::7", Server: ":443", Method: "CONNECT"},
		said{Result: "ignored"}, said{Result: "too_short"}, said{Result: "bad_time"},
	)
}
