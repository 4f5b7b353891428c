package network

import (
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/signatures"
)

// sensorName is the sensor's name in configuration and observations.
const sensorName = "network"

func (e *engine) newObservation(kind signatures.Kind) signatures.Observation {
	return signatures.Observation{Sensor: sensorName, Kind: kind, Time: time.Unix(0, e.at).UTC()}
}

func (e *engine) emit(o *signatures.Observation) {
	e.tally[observations]++
	if o.Kind == signatures.KindHTTP {
		e.veilRequest(o)
	}
	e.pending = append(e.pending, *o)
}

// observation starts one of f under a name as it was on the wire; nil is none.
func (e *engine) observation(f *flow, kind signatures.Kind, name []byte, evidence signatures.Evidence) signatures.Observation {
	o := e.newObservation(kind)
	if len(name) > 0 {
		var usual bool
		if o.Name, usual = hostName(name); !usual {
			e.tally[namesUnusual]++
		}
		o.NameEvidence = evidence
	}
	o.Flow = e.tell(f)
	return o
}

// describe says what is known of f.
func (f *flow) describe() signatures.Flow {
	client := max(int(f.client), 0)
	protocol := "tcp"
	switch f.key.protocol {
	case link.UDP:
		protocol = "udp"
	case protocolESP:
		protocol = "esp"
	case protocolPPTP:
		protocol = "gre"
	}
	return signatures.Flow{
		Protocol:  protocol,
		Client:    f.key.end(client).AddrPort(),
		Server:    f.key.end(1 - client).AddrPort(),
		BytesUp:   f.bytes[client],
		BytesDown: f.bytes[1-client],
	}
}

// report tells of a connection that gave no name of its own, where DNS named
// its server before it began; once, and only where the server was reached or
// spoken to.
func (e *engine) report(f *flow) {
	e.reportAs(f, nil)
}

// reportAs is report with attributes, which may be nil.
func (e *engine) reportAs(f *flow, attributes map[string]string) {
	if f.named || f.reported || f.opening && !f.answered {
		return
	}
	f.reported = true
	if f.answer == "" {
		e.tally[flowsUnnamed]++
		return
	}
	o := e.newObservation(signatures.KindFlow)
	o.Name, o.NameEvidence = f.answer, signatures.EvidenceDNSAnswer
	o.Flow = e.tell(f)
	if attributes == nil && f.hello {
		attributes = map[string]string{"tls.server_name": "none"}
	}
	if reason := e.veil(f, e.veilOfFlow(f)); reason != "" {
		if attributes == nil {
			attributes = make(map[string]string, 1)
		}
		attributes[attributeBlind] = reason
	}
	o.Attributes = attributes
	e.emit(&o)
}
