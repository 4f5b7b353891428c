package network

import (
	"hash/maphash"
	"strconv"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/dns"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/signatures"
)

// The ports of DNS and its multicast kinds.
const (
	portDNS   = 53
	portMDNS  = 5353
	portLLMNR = 5355
)

func dnsPort(port uint16) bool { return port == portDNS || port == portMDNS || port == portLLMNR }

// dnsStream reads one message of a TCP stream.
func (e *engine) dnsStream(f *flow, from int, b []byte, final bool) int {
	msg, need := dns.Frame(b)
	if need > len(b) {
		if !final {
			f.half[from].need = need
			return 0
		}
		msg, need = b[min(2, len(b)):], len(b)
	}
	sender, receiver := f.key.end(from), f.key.end(1-from)
	if e.dnsMessage(msg, sender, receiver, "tcp") {
		f.named = true
	}
	return need
}

// dnsMessage reads one message and reports the names that it asks for. It
// reports false where the bytes are no DNS.
func (e *engine) dnsMessage(msg []byte, sender, receiver link.Endpoint, protocol string) bool {
	var r dns.Reader
	if !r.Open(msg) {
		e.tally[dnsMalformed]++
		return false
	}
	e.tally[dnsMessages]++
	client, server := sender, receiver
	if r.Header.Response {
		client, server = receiver, sender
	}
	var name dns.Name
	var q dns.Question
	multicast := dnsKind(client.Port, server.Port) != "dns"
	for r.Question(&name, &q) {
		if multicast {
			e.tally[dnsMulticast]++ // neighbours' names: nobody's use of a service
			continue
		}
		if name.Root() || e.asked.seen(client, r.Header.ID, q.Type, name.Bytes(), r.Header.Response) {
			continue
		}
		e.question(&name, &q, client, server, protocol)
	}
	if r.Header.Response && r.Header.Code == 0 {
		e.learn(&r, client.Address)
	}
	if r.Failed() {
		e.tally[dnsMalformed]++
	}
	return true
}

func (e *engine) question(name *dns.Name, q *dns.Question, client, server link.Endpoint, protocol string) {
	text, usual := hostName(name.Bytes())
	if !usual {
		e.tally[namesUnusual]++
	}
	kind := dns.TypeName(q.Type)
	if kind == "" {
		kind = "TYPE" + strconv.Itoa(int(q.Type)) // RFC 3597
	}
	o := e.newObservation(signatures.KindDNS)
	o.Name, o.NameEvidence = text, signatures.EvidenceDNS
	o.Flow = signatures.Flow{Protocol: protocol, Client: client.AddrPort(), Server: server.AddrPort()}
	o.Attributes = map[string]string{"dns.type": kind, "dns.protocol": dnsKind(client.Port, server.Port)}
	e.emit(&o)
}

// dnsKind keeps the multicast kinds, which name neighbours, apart from DNS.
func dnsKind(a, b uint16) string {
	switch {
	case a == portMDNS || b == portMDNS:
		return "mdns"
	case a == portLLMNR || b == portLLMNR:
		return "llmnr"
	}
	return "dns"
}

// maxAliases bounds the CNAME chain of one answer.
const maxAliases = 16

// learn remembers the addresses that an answer gives, under the name that was
// asked for: an address belongs to the owner of its record, and that is an
// alias of the name before it in the chain.
func (e *engine) learn(r *dns.Reader, client link.Address) {
	var owner, target dns.Name
	var rec dns.Record
	var aliases [maxAliases]struct{ alias, asked string }
	count := 0
	asked := func(owner string) string {
		for i := range count {
			if aliases[i].alias == owner {
				return aliases[i].asked
			}
		}
		return owner
	}
	for r.Answer(&owner, &rec) {
		switch rec.Type {
		case dns.TypeCNAME:
			if count < maxAliases && r.Alias(&rec, &target) {
				to, _ := hostName(target.Bytes())
				from, _ := hostName(owner.Bytes())
				aliases[count].alias, aliases[count].asked = to, asked(from)
				count++
			}
		case dns.TypeA, dns.TypeAAAA:
			if address, ok := rec.Address(); ok {
				from, _ := hostName(owner.Bytes())
				e.remember(client, address.As16(), asked(from), rec.TTL)
			}
		case dns.TypeHTTPS:
			e.learnService(r, &rec, &owner, client, asked)
		}
	}
}

// learnService remembers the address hints of an HTTPS record.
func (e *engine) learnService(r *dns.Reader, rec *dns.Record, owner *dns.Name, client link.Address, asked func(string) string) {
	var s dns.Service
	if !r.Service(rec, &s) || len(s.IPv4)+len(s.IPv6) == 0 {
		return
	}
	from, _ := hostName(owner.Bytes())
	name := asked(from)
	for hints := s.IPv4; len(hints) >= 4; hints = hints[4:] {
		e.remember(client, link.Address{10: 0xff, 11: 0xff, 12: hints[0], 13: hints[1], 14: hints[2], 15: hints[3]}, name, rec.TTL)
	}
	for hints := s.IPv6; len(hints) >= 16; hints = hints[16:] {
		e.remember(client, link.Address(hints[:16]), name, rec.TTL)
	}
}

// remember leaves out the addresses that name no server.
func (e *engine) remember(client, address link.Address, name string, ttl uint32) {
	ip := address.Netip()
	if name == "." || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
		return
	}
	e.tally[dnsAnswers]++
	e.answers.learn(client, address, name, ttl, e.now)
	e.tally[dnsAnswersEvicted] = e.answers.evicted
}

// recentQueries remembers the questions of the last queries, so that the same
// question in the answer is not a second use. A collision costs one count.
type recentQueries struct {
	seed  maphash.Seed
	slots [4096]uint64
	ready bool
}

// seen reports whether an answer's question was seen in its query; a query's
// question it takes down.
func (r *recentQueries) seen(client link.Endpoint, id, kind uint16, name []byte, response bool) bool {
	if !r.ready {
		r.seed, r.ready = maphash.MakeSeed(), true
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	h.Write(client.Address[:])
	h.Write([]byte{byte(client.Port >> 8), byte(client.Port), byte(id >> 8), byte(id), byte(kind >> 8), byte(kind)})
	h.Write(name)
	sum := h.Sum64() | 1
	slot := &r.slots[sum>>1%uint64(len(r.slots))]
	if !response {
		*slot = sum
		return false
	}
	known := *slot == sum
	*slot = 0
	return known
}
