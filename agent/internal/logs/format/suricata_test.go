package format

import "testing"

const suricataText = `{"timestamp":"2026-11-23T19:31:58.123456+0000","flow_id":2171,"in_iface":"eth0","event_type":"tls","src_ip":"192.0.2.7","src_port":53211,"dest_ip":"203.0.113.9","dest_port":443,"proto":"TCP","pkt_src":"wire/pcap","tls":{"sni":"api.openai.com","version":"TLS 1.3","ja3":{"hash":"e7d7","string":"771,4865"}}}
{"timestamp":"2026-11-23T19:31:58.123456+0100","event_type":"dns","src_ip":"2001:db8::7","src_port":40000,"dest_ip":"2001:db8::53","dest_port":53,"proto":"UDP","dns":{"type":"query","id":4711,"rrname":"claude.ai","rrtype":"A","tx_id":0}}
{"timestamp":"2026-11-23T19:31:58.123456+0100","event_type":"dns","src_ip":"192.0.2.7","src_port":40000,"dest_ip":"192.0.2.53","dest_port":53,"proto":"UDP","dns":{"version":3,"type":"request","tx_id":0,"id":1,"queries":[{"rrname":"api.x.ai","rrtype":"HTTPS"}]}}
{"timestamp":"2026-11-23T19:31:58.123456+0100","event_type":"dns","src_ip":"192.0.2.53","src_port":53,"dest_ip":"192.0.2.7","dest_port":40000,"proto":"UDP","dns":{"version":2,"type":"answer","id":1,"rrname":"api.x.ai","answers":[{"rrname":"api.x.ai","rdata":"203.0.113.4"}]}}
{"timestamp":"2026-11-23T19:31:58.1Z","event_type":"http","src_ip":"192.0.2.7","src_port":53211,"dest_ip":"192.0.2.80","dest_port":8000,"proto":"TCP","http":{"hostname":"llm.lan","http_port":8000,"url":"\/v1\/chat\/completions?key=secret","http_user_agent":"python \"x\"","http_method":"POST","protocol":"HTTP/1.1","status":200,"length":512}}
{"timestamp":"2026-11-23T19:31:58.1Z","event_type":"quic","src_ip":"192.0.2.7","src_port":53211,"dest_ip":"203.0.113.9","dest_port":443,"proto":"UDP","quic":{"version":"1","sni":"gemini.google.com","ja4":"q13"}}
{"timestamp":"2026-11-23T19:31:58.1Z","event_type":"flow","src_ip":"192.0.2.7","flow":{"bytes_toserver":1}}
{"timestamp":"2026-11-23T19:31:58.1Z","event_type":"stats","stats":{"uptime":1}}
{"timestamp":"2026-11-23T19:31:58.1Z","event_type":"tls","tls":{"version":"TLS 1.3"}}
{"timestamp":"2026-11-23T19:31:58.1Z"}
not json
`

func TestSuricata(t *testing.T) {
	expect(t, read(t, "suricata_eve", testOptions(), suricataText),
		said{Result: "used", Time: "2026-11-23T19:31:58.123456Z", Kind: "tls", Protocol: "tcp", Name: "api.openai.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443"},
		said{Result: "used", Time: "2026-11-23T18:31:58.123456Z", Kind: "dns", Protocol: "udp", Name: "claude.ai", Client: "[2001:db8::7]:40000", Server: "[2001:db8::53]:53"},
		said{Result: "used", Time: "2026-11-23T18:31:58.123456Z", Kind: "dns", Protocol: "udp", Name: "api.x.ai", Client: "192.0.2.7:40000", Server: "192.0.2.53:53"},
		said{Result: "ignored"},
		said{Result: "used", Time: "2026-11-23T19:31:58.1Z", Kind: "http", Protocol: "tcp", Name: "llm.lan", Client: "192.0.2.7:53211", Server: "192.0.2.80:8000", Method: "POST", Path: "/v1/chat/completions", Down: 512},
		said{Result: "used", Time: "2026-11-23T19:31:58.1Z", Kind: "quic", Protocol: "udp", Name: "gemini.google.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443"},
		said{Result: "ignored"}, said{Result: "ignored"}, said{Result: "nameless"}, said{Result: "malformed"}, said{Result: "malformed"},
	)
}
