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

// aliasChain is the aliases of one answer, in any order.
type aliasChain struct {
	list [maxAliases]struct {
		alias, of string
		ttl       uint32 // seconds
	}
	count int
}

// asked follows the chain from the owner of a record back to the name that was
// asked for.
func (a *aliasChain) asked(owner string) string {
	for range a.count {
		before := owner
		for _, pair := range a.list[:a.count] {
			if pair.alias == owner {
				owner = pair.of
				break
			}
		}
		if owner == before {
			break
		}
	}
	return owner
}

// learn remembers what an answer says, under the name that was asked for: an
// address belongs to the owner of its record, and that is an alias of another
// name, in this answer or in one before.
func (e *engine) learn(r *dns.Reader, client link.Address) {
	var owner, target dns.Name
	var rec dns.Record
	var chain aliasChain
	for ahead := *r; ahead.Answer(&owner, &rec); {
		if rec.Type != dns.TypeCNAME || chain.count == maxAliases || !ahead.Alias(&rec, &target) {
			continue
		}
		pair := &chain.list[chain.count]
		pair.of, _ = hostName(owner.Bytes())
		pair.alias, _ = hostName(target.Bytes())
		pair.ttl = rec.TTL
		chain.count++
	}
	asked := func(owner *dns.Name) string {
		name, _ := hostName(owner.Bytes())
		name = chain.asked(name)
		return e.unalias(client, name)
	}
	addresses := 0
	for r.Answer(&owner, &rec) {
		switch rec.Type {
		case dns.TypeA, dns.TypeAAAA:
			if address, ok := rec.Address(); ok {
				e.remember(client, address.As16(), asked(&owner), rec.TTL)
				addresses++
			}
		case dns.TypeHTTPS, dns.TypeSVCB:
			e.learnService(r, &rec, &owner, client, asked(&owner))
		}
	}
	if addresses > 0 || chain.count == 0 {
		return
	}
	for _, pair := range chain.list[:chain.count] { // the addresses come in another answer
		e.learnAlias(client, pair.alias, chain.asked(pair.alias), pair.ttl)
	}
}

// alias is the name that a client asked for before it was told another.
type alias struct {
	asked string
	until int64 // Unix nanoseconds
}

// unalias returns the name that client asked for before it was told name.
func (e *engine) unalias(client link.Address, name string) string {
	if before, ok := e.aliases.entries[told{client, name}]; ok && before.until >= e.now {
		return before.asked
	}
	return name
}

// learnAlias remembers that client, who asked for a name, was told to ask for
// another.
func (e *engine) learnAlias(client link.Address, target, asked string, ttl uint32) {
	if target == asked || target == "." {
		return
	}
	e.aliases.put(told{client, target}, alias{e.unalias(client, asked), believed(ttl, e.now)})
	e.tally[dnsNamesEvicted] = e.outer.evicted + e.aliases.evicted
}

// designation is the name that a client asks its resolver for others of its
// kind under, who answer encrypted (RFC 9462).
const designation = "_dns.resolver.arpa"

// learnService remembers what an HTTPS or SVCB record of a name says: address
// hints, another name to ask for, and encrypted hellos.
func (e *engine) learnService(r *dns.Reader, rec *dns.Record, owner *dns.Name, client link.Address, name string) {
	var s dns.Service
	if !r.Service(rec, &s) {
		return
	}
	target := name
	if !s.Target.Root() {
		target, _ = hostName(s.Target.Bytes())
	}
	if from, _ := hostName(owner.Bytes()); from == designation {
		kind := veilDoT
		if s.DoH {
			kind = veilDoH
		}
		e.tally[dnsDesignations]++
		e.veils.designated.put(target, kind)
		name = target
	} else {
		e.learnAlias(client, target, name, rec.TTL)
	}
	e.learnECH(&s, client, name, rec.TTL)
	for hints := s.IPv4; len(hints) >= 4; hints = hints[4:] {
		e.remember(client, link.Address{10: 0xff, 11: 0xff, 12: hints[0], 13: hints[1], 14: hints[2], 15: hints[3]}, name, rec.TTL)
	}
	for hints := s.IPv6; len(hints) >= 16; hints = hints[16:] {
		e.remember(client, link.Address(hints[:16]), name, rec.TTL)
	}
}

// quoted reads the DNS message in a datagram that an ICMP error quotes: the
// datagram was sent, whether it was captured or not. It is often cut, so what
// is missing in it is no fault.
func (e *engine) quoted(p *link.Packet) {
	var r dns.Reader
	if !dnsPort(p.Source.Port) && !dnsPort(p.Destination.Port) || !r.Open(p.Payload) {
		return
	}
	client, server := p.Source, p.Destination
	if r.Header.Response {
		client, server = server, client
	}
	var name dns.Name
	var q dns.Question
	for r.Question(&name, &q) {
		if dnsKind(client.Port, server.Port) != "dns" || name.Root() || e.asked.seen(client, r.Header.ID, q.Type, name.Bytes(), true) {
			continue
		}
		e.question(&name, &q, client, server, "udp")
	}
}

// remember leaves out the addresses that name no server.
func (e *engine) remember(client, address link.Address, name string, ttl uint32) {
	ip := address.Netip()
	if name == "." || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
		return
	}
	e.tally[dnsAnswers]++
	e.tally[dnsAnswersEvicted] += e.answers.learn(client, address, name, ttl, e.now)
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
