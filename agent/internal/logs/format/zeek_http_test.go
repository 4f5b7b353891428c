package format

import "testing"

const zeekHTTPText = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\ttrans_depth\tmethod\thost\turi\treferrer\tversion\tuser_agent\torigin\trequest_body_len\tresponse_body_len\tstatus_code\tstatus_msg\tusername\n" +
	"1700000000.1\tC1\t192.0.2.7\t53211\t192.0.2.80\t11434\t1\tPOST\tollama.lan:11434\t/api/generate?x=1\t-\t1.1\tcurl/8\t-\t120\t4096\t200\tOK\tdana\n" +
	"1700000000.2\tC2\t192.0.2.7\t53212\t192.0.2.81\t3128\t1\tGET\t-\thttp://user:pw@api.example/v1/models?key=secret\t-\t1.1\tcurl/8\t-\t0\t10\t200\tOK\t-\n" +
	"1700000000.3\tC3\t192.0.2.7\t53213\t192.0.2.81\t3128\t1\tCONNECT\tapi.example:443\tapi.example:443\t-\t1.1\tcurl/8\t-\t0\t10\t407\tauth\t-\n"

func TestZeekHTTP(t *testing.T) {
	expect(t, read(t, "zeek_http", testOptions(), zeekHTTPText), append(result("headers", "headers"),
		said{Result: "used", Time: "2023-11-14T22:13:20.1Z", Kind: "http", Name: "ollama.lan", Client: "192.0.2.7:53211", Server: "192.0.2.80:11434", Method: "POST", Path: "/api/generate", User: "dana", Up: 120, Down: 4096},
		said{Result: "used", Time: "2023-11-14T22:13:20.2Z", Kind: "http", Name: "api.example", Client: "192.0.2.7:53212", Server: "192.0.2.81:3128", Method: "GET", Path: "/v1/models", Down: 10},
		said{Result: "ignored"},
	)...)
}
