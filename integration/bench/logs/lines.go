package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"
)

// aiShare is how many of a thousand lines name an AI service.
const aiShare = 30

// aiNames are services that the catalogue knows.
var aiNames = []string{
	"api.openai.com", "chatgpt.com", "api.anthropic.com", "claude.ai", "gemini.google.com", "api.mistral.ai", "chat.deepseek.com", "api.groq.com",
	"www.perplexity.ai", "api.cohere.com", "huggingface.co", "api.together.xyz", "openrouter.ai", "api.x.ai", "api.replicate.com", "poe.com",
}

// entry is what one line says.
type entry struct {
	at     time.Time
	client string
	port   int
	name   string
	user   string
	path   string
	up     int
	down   int
}

// layout writes lines of one format.
type layout struct {
	format string
	source string // more of the source's configuration
	header string
	line   func(b []byte, e *entry) []byte
}

func layouts() []layout {
	zeekHead := func(fields string) string {
		return "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#fields\t" + strings.ReplaceAll(fields, " ", "\t") + "\n"
	}
	stamp := func(e *entry) float64 { return float64(e.at.UnixMicro()) / 1e6 }
	return []layout{
		{format: "zeek_ssl", header: zeekHead("ts uid id.orig_h id.orig_p id.resp_h id.resp_p version cipher curve server_name resumed last_alert next_protocol established"),
			line: func(b []byte, e *entry) []byte {
				return fmt.Appendf(b, "%.6f\tCY8sc0%d\t%s\t%d\t203.0.113.9\t443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\t%s\tF\t-\th2\tT\n", stamp(e), e.port, e.client, e.port, e.name)
			}},
		{format: "zeek_dns", header: zeekHead("ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name"),
			line: func(b []byte, e *entry) []byte {
				return fmt.Appendf(b, "%.6f\tC%d\t%s\t%d\t192.0.2.53\t53\tudp\t4711\t0.012\t%s\t1\tC_INTERNET\t1\tA\t0\tNOERROR\n", stamp(e), e.port, e.client, e.port, e.name)
			}},
		{format: "zeek_http", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, `{"ts":%.6f,"uid":"C%d","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"203.0.113.9","id.resp_p":80,"trans_depth":1,"method":"POST","host":"%s","uri":"%s?x=1","version":"1.1","user_agent":"curl/8.5","request_body_len":%d,"response_body_len":%d,"status_code":200,"status_msg":"OK"}`+"\n", stamp(e), e.port, e.client, e.port, e.name, e.path, e.up, e.down)
		}},
		{format: "zeek_quic", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, `{"ts":%.6f,"uid":"C%d","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"203.0.113.9","id.resp_p":443,"version":"1","client_initial_dcid":"ab12cd","server_scid":"ef","server_name":"%s","client_protocol":"h3","history":"ISishIHhhc"}`+"\n", stamp(e), e.port, e.client, e.port, e.name)
		}},
		{format: "suricata_eve", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, `{"timestamp":"%s","flow_id":1234567890%d,"in_iface":"eth0","event_type":"tls","src_ip":"%s","src_port":%d,"dest_ip":"203.0.113.9","dest_port":443,"proto":"TCP","pkt_src":"wire/pcap","tls":{"subject":"CN=%s","issuerdn":"C=US, O=Example","serial":"0A:1B","fingerprint":"aa:bb:cc:dd:ee:ff","sni":"%s","version":"TLS 1.3","notbefore":"2026-01-01T00:00:00","notafter":"2027-01-01T00:00:00","ja3":{"hash":"e7d705a3286e19ea42f587b344ee6865","string":"771,4865-4866,0-23-65281,29-23,0"},"ja3s":{"hash":"ae4edc6faf64d08308082ad26be60767","string":"771,4865"}}}`+"\n", e.at.Format("2006-01-02T15:04:05.000000-0700"), e.port, e.client, e.port, e.name, e.name)
		}},
		{format: "squid", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "%.3f %6d %s TCP_TUNNEL/200 %d CONNECT %s:443 %s HIER_DIRECT/203.0.113.9 -\n", stamp(e), e.up, e.client, e.down, e.name, e.user)
		}},
		{format: "combined", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "%s - %s [%s] \"CONNECT %s:443 HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" TCP_TUNNEL:HIER_DIRECT\n", e.client, e.user, e.at.Format("02/Jan/2006:15:04:05 -0700"), e.name, e.down)
		}},
		{format: "envoy_json", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, `{"start_time":"%s","method":"POST","path":"%s?x=1","protocol":"HTTP/2","response_code":200,"response_flags":"-","response_code_details":"via_upstream","connection_termination_details":null,"upstream_transport_failure_reason":null,"bytes_received":%d,"bytes_sent":%d,"duration":12,"upstream_service_time":"11","x_forwarded_for":null,"user_agent":"python","request_id":"b5e2","authority":"%s","upstream_host":"203.0.113.9:443","upstream_cluster":"outbound|443||x","upstream_local_address":"10.0.0.1:40000","downstream_local_address":"10.0.0.1:8443","downstream_remote_address":"%s:%d","requested_server_name":null,"route_name":"default"}`+"\n", e.at.Format("2006-01-02T15:04:05.000Z"), e.path, e.up, e.down, e.name, e.client, e.port)
		}},
		{format: "nginx_json", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, `{"time_iso8601":"%s","remote_addr":"%s","remote_user":"%s","host":"%s","request_method":"POST","request_uri":"%s?x=1","server_protocol":"HTTP/1.1","status":"200","body_bytes_sent":"%d","request_length":"%d","request_time":"0.012","http_referrer":"","http_user_agent":"curl/8.5.0"}`+"\n", e.at.Format(time.RFC3339), e.client, e.user, e.name, e.path, e.down, e.up)
		}},
		{format: "dnsmasq", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "%s dnsmasq[812]: query[A] %s from %s\n", e.at.Format(time.Stamp), e.name, e.client)
		}},
		{format: "unbound", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "[%d] unbound[812:0] info: %s %s. A IN\n", e.at.Unix(), e.client, e.name)
		}},
		{format: "bind", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "%s queries: info: client @0x7f5c2c0 %s#%d (%s): query: %s IN A +E(0)K (192.0.2.53)\n", e.at.Format("02-Jan-2006 15:04:05.000"), e.client, e.port, e.name, e.name)
		}},
		{format: "coredns", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "%s stdout F [INFO] %s:%d - 29008 \"A IN %s. udp 41 false 4096\" NOERROR qr,rd,ra 68 0.037990251s\n", e.at.Format(time.RFC3339Nano), e.client, e.port, e.name)
		}},
		{format: "dnstap", line: dnstapLine},
		{format: "cef", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "CEF:0|Zscaler|NSSWeblog|5.7|Allowed|Allowed|3|act=Allowed app=HTTPS cat=Professional Services dhost=%s dst=203.0.113.9 src=%s in=%d outcome=200 out=%d request=%s%s rt=%s sourceTranslatedAddress=198.51.100.1 requestClientApplication=Mozilla/5.0 (X11) requestMethod=POST suser=%s@corp.example spriv=Headquarters externalId=%d\n", e.name, e.client, e.down, e.up, e.name, e.path, e.at.Format("Jan 02 2006 15:04:05"), e.user, e.port)
		}},
		{format: "leef", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\tdevTime=%s GMT\tsrc=%s\tdst=203.0.113.9\tsrcPreNat=10.0.0.1\trealm=HQ\tusrName=%s\tsrcBytes=%d\tdstBytes=%d\turl=%s%s\taction=Allowed\n", e.at.Format("Jan 02 2006 15:04:05"), e.client, e.user, e.up, e.down, e.name, e.path)
		}},
		{format: "keyvalue", line: func(b []byte, e *entry) []byte {
			return fmt.Appendf(b, "date=%s time=%s devname=\"FGT-1\" devid=\"FG100\" eventtime=%d tz=\"+0000\" logid=\"0317013312\" type=\"utm\" subtype=\"webfilter\" level=\"notice\" vd=\"root\" policyid=1 sessionid=%d srcip=%s srcport=%d srcintf=\"lan\" dstip=203.0.113.9 dstport=443 dstintf=\"wan\" proto=6 service=\"HTTPS\" hostname=\"%s\" profile=\"default\" action=\"passthrough\" url=\"https://%s%s\" user=\"%s\" sentbyte=%d rcvdbyte=%d\n", e.at.Format(time.DateOnly), e.at.Format(time.TimeOnly), e.at.UnixNano(), e.port, e.client, e.port, e.name, e.name, e.path, e.user, e.up, e.down)
		}},
		{format: "csv", header: "time,user,client,client_port,url,action,sent,received\n",
			source: "\n      header: true\n      keys: {time: [time], user: [user], client: [client], client_port: [client_port], url: [url], action: [action], bytes_up: [sent], bytes_down: [received]}",
			line: func(b []byte, e *entry) []byte {
				return fmt.Appendf(b, "%s,%s,%s,%d,\"https://%s%s\",allow,%d,%d\n", e.at.Format(time.RFC3339), e.user, e.client, e.port, e.name, e.path, e.up, e.down)
			}},
		{format: "json",
			source: "\n      keys: {time: ['@timestamp'], url: [url.full], client: [source.ip], user: [user.name], bytes_up: [http.request.bytes], bytes_down: [http.response.bytes]}",
			line: func(b []byte, e *entry) []byte {
				return fmt.Appendf(b, `{"@timestamp":"%s","event":{"kind":"event","category":["web"]},"source":{"ip":"%s","port":%d},"user":{"name":"%s"},"url":{"full":"https:\/\/%s%s","scheme":"https"},"http":{"request":{"method":"POST","bytes":%d},"response":{"status_code":200,"bytes":%d}}}`+"\n", e.at.Format(time.RFC3339), e.client, e.port, e.user, e.name, e.path, e.up, e.down)
			}},
	}
}

// dnstapLine is a data frame with a CLIENT_QUERY (dnstap.proto).
func dnstapLine(b []byte, e *entry) []byte {
	query := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(e.name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	var ip [4]byte
	_, _ = fmt.Sscanf(e.client, "%d.%d.%d.%d", &ip[0], &ip[1], &ip[2], &ip[3]) // made here
	m := append([]byte{1 << 3, 5, 2 << 3, 1, 3 << 3, 1, 4<<3 | 2, 4}, ip[:]...)
	m = binary.AppendUvarint(append(m, 6<<3), uint64(e.port))
	m = binary.AppendUvarint(append(m, 8<<3), uint64(e.at.Unix()))
	m = binary.AppendUvarint(append(m, 10<<3|2), uint64(len(query)))
	m = append(m, query...)
	frame := binary.AppendUvarint([]byte{14<<3 | 2}, uint64(len(m)))
	frame = append(append(frame, m...), 15<<3, 1)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(frame))), frame...)
}

// generate writes lines over the day before now, at most most bytes of them,
// and returns how many there are and how many name an AI service.
func (l *layout) generate(name string, lines int, most int64) (n, ai int, size int64, err error) {
	file, err := os.Create(name)
	if err != nil {
		return 0, 0, 0, err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	write := func(b []byte) {
		size += int64(len(b))
		_, _ = out.Write(b) // Flush tells
	}
	write([]byte(l.header))
	start := time.Now().UTC().Add(-24 * time.Hour)
	step := 24 * time.Hour / time.Duration(lines)
	var b []byte
	for ; n < lines && size < most; n++ {
		e := entry{
			at: start.Add(time.Duration(n) * step), client: fmt.Sprintf("10.0.%d.%d", n/7%4, n*31%250+1), port: 20000 + n%40000,
			name: fmt.Sprintf("host%d.site%d.example", n*17%40, n*7%500), path: "/v1/things/list", up: 100 + n%900, down: 1000 + n%9000,
		}
		e.user = "user" + e.client[len("10.0."):]
		if n*7919%1000 < aiShare {
			e.name = aiNames[n*13%len(aiNames)]
			ai++
		}
		b = l.line(b[:0], &e)
		write(b)
	}
	return n, ai, size, joinErrors(out.Flush(), file.Close())
}
