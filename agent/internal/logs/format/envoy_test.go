package format

import "testing"

const envoyText = `{"start_time":"2026-11-23T19:31:58.123Z","method":"POST","path":"/v1/chat/completions?x=1","protocol":"HTTP/2","response_code":200,"bytes_received":120,"bytes_sent":4096,"duration":12,"authority":"llm-gateway.internal:8443","upstream_host":"10.0.0.9:8000","downstream_remote_address":"10.0.0.7:53211","downstream_local_address":"10.0.0.8:8443","requested_server_name":"llm-gateway.internal","user_agent":"x","x_forwarded_for":null}
{"start_time":"2026-11-23T19:31:58.123Z","method":null,"path":null,"authority":null,"bytes_received":10,"bytes_sent":20,"upstream_host":"203.0.113.9:443","downstream_remote_address":"[2001:db8::7]:53211","requested_server_name":"api.anthropic.com"}
{"start_time":"2026-11-23T19:31:58.123Z","authority":"-","requested_server_name":"-"}
{"start_time":"2026-11-23T19:31:58.123Z","authority":"a"
`

func TestEnvoy(t *testing.T) {
	expect(t, read(t, "envoy_json", testOptions(), envoyText),
		said{Result: "used", Time: "2026-11-23T19:31:58.123Z", Kind: "http", Name: "llm-gateway.internal", Client: "10.0.0.7:53211", Server: "10.0.0.9:8000", Method: "POST", Path: "/v1/chat/completions", Up: 120, Down: 4096},
		said{Result: "used", Time: "2026-11-23T19:31:58.123Z", Kind: "tls", Protocol: "tcp", Name: "api.anthropic.com", Client: "[2001:db8::7]:53211", Server: "203.0.113.9:443", Up: 10, Down: 20},
		said{Result: "nameless"}, said{Result: "malformed"},
	)
	o := testOptions()
	o.Keys = Keys{"host": {"request.host"}}
	expect(t, read(t, "envoy_json", o, `{"request":{"host":"api.openai.com"},"authority":"other","path":"/v1"}`),
		said{Result: "used", Kind: "http", Name: "api.openai.com", Path: "/v1"})
}
