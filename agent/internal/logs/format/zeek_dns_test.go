package format

import "testing"

const zeekDNSText = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\trtt\tquery\tqclass\tqclass_name\tqtype\tqtype_name\n" +
	"1700000000.1\tC1\t192.0.2.7\t53211\t192.0.2.53\t53\tudp\t4711\t0.01\tapi.mistral.ai\t1\tC_INTERNET\t1\tA\n" +
	"1700000000.2\tC2\t192.0.2.7\t5353\t224.0.0.251\t5353\tudp\t0\t-\tprinter.local\t1\tC_INTERNET\t12\tPTR\n" +
	`{"ts":"2026-11-23T19:31:58.000000Z","id.orig_h":"192.0.2.7","id.orig_p":53211,"id.resp_h":"192.0.2.53","id.resp_p":53,"proto":"tcp","query":"chat.deepseek.com","qtype_name":"HTTPS","answers":["a","b"],"TTLs":[1.0,2.0]}` + "\n"

func TestZeekDNS(t *testing.T) {
	expect(t, read(t, "zeek_dns", testOptions(), zeekDNSText), append(result("headers", "headers"),
		said{Result: "used", Time: "2023-11-14T22:13:20.1Z", Kind: "dns", Protocol: "udp", Name: "api.mistral.ai", Client: "192.0.2.7:53211", Server: "192.0.2.53:53"},
		said{Result: "ignored"},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "dns", Protocol: "tcp", Name: "chat.deepseek.com", Client: "192.0.2.7:53211", Server: "192.0.2.53:53"},
	)...)
}
