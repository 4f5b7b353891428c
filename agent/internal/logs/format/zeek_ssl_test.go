package format

import (
	"strings"
	"testing"
)

const zeekSSLText = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tssl\n#open\t2026-11-23-19-00-00\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tversion\tcipher\tcurve\tserver_name\tresumed\tlast_alert\tnext_protocol\testablished\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tstring\tstring\tbool\tstring\tstring\tbool\n" +
	"1700000000.123456\tCY8sc01\t192.0.2.7\t53211\t203.0.113.9\t443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\tapi.openai.com\tT\t-\th2\tT\n" +
	"1700000001.000000\tCY8sc02\t2001:db8::7\t53212\t2001:db8::9\t443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\t-\tT\t-\th2\tT\n" +
	`{"ts":1700000002.5,"uid":"CY8sc03","id.orig_h":"192.0.2.8","id.orig_p":53213,"id.resp_h":"203.0.113.9","id.resp_p":443,"version":"TLSv12","server_name":"claude.ai","established":true}` + "\n" +
	"1700000003.000000\tCY8sc04\n#close\t2026-11-23-20-00-00\n"

func TestZeekSSL(t *testing.T) {
	expect(t, read(t, "zeek_ssl", testOptions(), zeekSSLText), append(
		result("headers", "headers", "headers", "headers", "headers", "headers", "headers", "headers"),
		said{Result: "used", Time: "2023-11-14T22:13:20.123456Z", Kind: "tls", Protocol: "tcp", Name: "api.openai.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443"},
		said{Result: "nameless"},
		said{Result: "used", Time: "2023-11-14T22:13:22.5Z", Kind: "tls", Protocol: "tcp", Name: "claude.ai", Client: "192.0.2.8:53213", Server: "203.0.113.9:443"},
		said{Result: "too_short"},
		said{Result: "ignored"},
	)...)
}

// TestZeekHeaderDecides reads the same line under headers with other separators,
// marks and orders of fields.
func TestZeekHeaderDecides(t *testing.T) {
	f, _ := Find("zeek_ssl")
	p := f.New(testOptions())
	text := "#separator \\x7c\n#unset_field|~\n#fields|server_name|ts|id.orig_h|id.resp_h\n" +
		"api.anthropic.com|1700000000|192.0.2.7|~\n~|1700000000|192.0.2.7|203.0.113.9\nbroken|yesterday|192.0.2.7|203.0.113.9"
	lines := strings.Split(text, "\n")
	expect(t, readWith(p, lines), append(result("headers", "headers", "headers"),
		said{Result: "used", Time: "2023-11-14T22:13:20Z", Kind: "tls", Protocol: "tcp", Name: "api.anthropic.com", Client: "192.0.2.7"},
		said{Result: "nameless"}, said{Result: "bad_time"})...)
	p.Reset()
	expect(t, readWith(p, lines[3:4]), result("no_header")...)
	expect(t, readWith(p, []string{"#separator \\xzz", "#separator toolong", "{broken"}), result("malformed", "malformed", "malformed")...)
}
