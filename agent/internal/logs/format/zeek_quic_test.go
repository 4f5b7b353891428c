package format

import "testing"

const zeekQUICText = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tversion\tclient_initial_dcid\tclient_scid\tserver_scid\tserver_name\tclient_protocol\thistory\n" +
	"1700000000.1\tC1\t192.0.2.7\t53211\t203.0.113.9\t443\t1\tab\tcd\tef\tgemini.google.com\th3\tISi\n" +
	"1700000000.2\tC2\t192.0.2.7\t53212\t203.0.113.9\t443\t1\tab\tcd\tef\t-\t-\tI\n"

func TestZeekQUIC(t *testing.T) {
	expect(t, read(t, "zeek_quic", testOptions(), zeekQUICText), append(result("headers", "headers"),
		said{Result: "used", Time: "2023-11-14T22:13:20.1Z", Kind: "quic", Protocol: "udp", Name: "gemini.google.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443"},
		said{Result: "nameless"},
	)...)
}
