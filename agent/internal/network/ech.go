package network

import (
	"github.com/gnomon-ai/gnomon/agent/internal/decode/dns"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

// rememberedNames bounds what is remembered of encrypted hellos and of
// aliases, each.
const rememberedNames = 4096

// What an encrypted_client_hello extension was found to be. They are the
// values of the attribute tls.ech.
const (
	echOffered = "offered" // real or GREASE (RFC 9849, section 6.2): nothing tells; the server name stands
	echGrease  = "grease"  // DNS gave the server's address for this very name, and it is no public name
	echOuter   = "outer"   // real: the server name is a public name, and the true one is hidden
	echInner   = "inner"   // the inner hello, behind the server that opened it: the server name is the true one
)

// How it was found; the attribute tls.ech_basis.
const (
	echByRecord = "https_record"      // an HTTPS record that the client got holds this configuration and public name
	echByList   = "known_public_name" // the name is on the list of public names
	echByAnswer = "dns_answer"
)

// publicNames lists names that stand in the hello of every site behind them
// and are no site that people use.
var publicNames = map[string]bool{
	"cloudflare-ech.com": true, // https://developers.cloudflare.com/ssl/edge-certificates/ech/
	"cover.defo.ie":      true, // https://defo.ie/
	"public.tls-ech.dev": true, // https://tls-ech.dev/
}

// publicName is what HTTPS records said of a public name.
type publicName struct {
	behind string    // the name whose record said so last
	ids    [4]uint64 // the numbers of its configurations, one bit each
	until  int64     // Unix nanoseconds
}

func (n *publicName) has(id uint8) bool { return n.ids[id>>6]>>(id&63)&1 != 0 }

// learnECH remembers the configurations that an HTTPS record of the name owner
// gave to asker.
func (e *engine) learnECH(s *dns.Service, asker link.Address, owner string, ttl uint32) {
	entries, _ := tls.ECHConfigs(s.ECH)
	for {
		var config tls.ECHConfig
		var ok bool
		if entries, ok = tls.NextECHConfig(entries, &config); !ok {
			break
		}
		e.tally[dnsECHConfigs]++
		public, _ := hostName(config.PublicName)
		for _, who := range [2]link.Address{asker, {}} {
			key := told{who, public}
			known := e.outer.entries[key]
			if known.until < e.now {
				known.ids = [4]uint64{}
			}
			known.behind, known.until = owner, believed(ttl, e.now)
			known.ids[config.ID>>6] |= 1 << (config.ID & 63)
			e.outer.put(key, known)
		}
	}
	e.tally[dnsNamesEvicted] = e.outer.evicted + e.aliases.evicted
}

// echFound says what the encrypted_client_hello extension of a hello is, and
// how that is known. For an outer hello it sets the name that DNS gave to the
// server's address, where DNS told.
func (e *engine) echFound(f *flow, from int, h *tls.ClientHello) (kind, basis string) {
	if h.ECH.Inner {
		return echInner, ""
	}
	name, _ := hostName(h.ServerName)
	client := f.key.end(from).Address
	if h.ECH.Sound {
		for _, who := range [2]link.Address{client, {}} {
			known, ok := e.outer.entries[told{who, name}]
			if !ok || known.until < e.now || !known.has(h.ECH.ConfigID) {
				continue
			}
			if f.answer == "" && who == client || f.answer == name {
				f.answer = known.behind
			}
			return echOuter, echByRecord
		}
	}
	if publicNames[name] {
		if f.answer == name {
			f.answer = ""
		}
		return echOuter, echByList
	}
	if f.answer != "" && f.answer == name {
		return echGrease, echByAnswer
	}
	return echOffered, ""
}
