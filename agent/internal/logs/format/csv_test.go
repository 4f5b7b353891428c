package format

import (
	"strings"
	"testing"
)

const csvText = `time,user,src,dest,sent
2026-11-23T19:31:58Z,"Dana ""D"" Doe",192.0.2.7,api.openai.com,120
2026-11-23T19:31:58Z,,192.0.2.7,"claude.ai",x
2026-11-23T19:31:58Z,dana
"broken,dana,192.0.2.7,a,1
`

func TestCSV(t *testing.T) {
	expect(t, read(t, "csv", sampleOptions("csv"), csvText),
		said{Result: "headers"},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Name: "api.openai.com", Client: "192.0.2.7", User: `Dana "D" Doe`, Up: 120},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Name: "claude.ai", Client: "192.0.2.7"},
		said{Result: "too_short"}, said{Result: "malformed"},
	)
}

// TestCSVByNumber maps the columns of PAN-OS URL logs
// (https://docs.paloaltonetworks.com/pan-os/10-1/pan-os-admin/monitoring/use-syslog-for-monitoring/syslog-field-descriptions/url-filtering-log-fields).
func TestCSVByNumber(t *testing.T) {
	o := testOptions()
	o.TimeLayout = "2006/01/02 15:04:05"
	o.Keys = Keys{"time": {"7"}, "client": {"8"}, "server": {"9"}, "user": {"13"}, "client_port": {"25"}, "server_port": {"26"}, "protocol": {"30"}, "action": {"31"}, "url": {"32"}}
	columns := make([]string, 40)
	for i, v := range map[int]string{7: "2026/11/23 19:31:58", 8: "192.0.2.7", 9: "203.0.113.9", 13: `corp\dana`, 25: "53211", 26: "443", 30: "tcp", 31: "alert", 32: `"chat.openai.com/c/1"`} {
		columns[i-1] = v
	}
	line := strings.Join(columns, ",")
	expect(t, read(t, "csv", o, line+"\n"+strings.Replace(line, "alert", "block-url", 1)+"\n"+strings.Replace(line, "2026/", "26/", 1)),
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "http", Protocol: "tcp", Name: "chat.openai.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443", Path: "/c/1", User: `corp\dana`},
		said{Result: "denied"}, said{Result: "bad_time"})
}

func TestCSVWithoutTheHeaderItNeeds(t *testing.T) {
	expect(t, read(t, "csv", sampleOptions("csv"), "a,b,c\n1,2,3"), result("no_header", "no_header")...)
}

func TestCSVDelimiter(t *testing.T) {
	o := testOptions()
	o.Delimiter, o.Keys = '\t', Keys{"host": {"2"}, "client": {"1"}}
	expect(t, read(t, "csv", o, "192.0.2.7\tclaude.ai\tx"), said{Result: "used", Kind: "http", Name: "claude.ai", Client: "192.0.2.7"})
}
