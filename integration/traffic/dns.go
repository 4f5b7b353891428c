package traffic

import (
	"fmt"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// Lookup returns a DNS query for the IPv4 addresses of name and its answer.
func Lookup(id uint16, name string, address netip.Addr) (query, answer []byte, err error) {
	host, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, nil, fmt.Errorf("asking for %q: %w", name, err)
	}
	question := dnsmessage.Question{Name: host, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	ask := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{question}}
	if query, err = ask.Pack(); err != nil {
		return nil, nil, fmt.Errorf("packing a query: %w", err)
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{question},
		Answers: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: host, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 300},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}},
	}
	if answer, err = reply.Pack(); err != nil {
		return nil, nil, fmt.Errorf("packing an answer: %w", err)
	}
	return query, answer, nil
}
