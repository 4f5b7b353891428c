package format

import "testing"

const nginxText = `{"time_iso8601":"2026-11-23T19:31:58+00:00","remote_addr":"192.0.2.7","remote_user":"","host":"llm.lan","request_method":"POST","request_uri":"/v1/messages?beta=true","status":"200","body_bytes_sent":"512","request_length":"900","upstream_addr":"10.0.0.9:8000"}
{"msec":"1700000000.123","remote_addr":"192.0.2.7","remote_user":"dana","http_host":"llm.lan:8443","request":"GET /api/tags HTTP/1.1","status":401,"bytes_sent":10}
{"time_local":"23/Nov/2026:19:31:58 +0100","remote_addr":"192.0.2.7","request":"CONNECT api.openai.com:443 HTTP/1.1"}
{"time_local":"whenever","host":"a"}
`

func TestNginx(t *testing.T) {
	expect(t, read(t, "nginx_json", testOptions(), nginxText),
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Name: "llm.lan", Client: "192.0.2.7", Server: "10.0.0.9:8000", Method: "POST", Path: "/v1/messages", Up: 900, Down: 512},
		said{Result: "used", Time: "2023-11-14T22:13:20.123Z", Kind: "http", Name: "llm.lan", Client: "192.0.2.7", Server: ":8443", Method: "GET", Path: "/api/tags", User: "dana", Down: 10},
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Name: "api.openai.com", Client: "192.0.2.7", Server: ":443", Method: "CONNECT"},
		said{Result: "bad_time"},
	)
}
