package network

import (
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/stream"
)

// opener says which end opened f, as far as is known now, and looks up what
// DNS said about the other.
func (e *engine) opener(f *flow, client int) {
	f.client = int8(client)
	f.answer = e.answers.name(f.key.end(client).Address, f.key.end(1-client).Address, e.now)
}

// tcp takes a segment.
func (e *engine) tcp(p *link.Packet) {
	e.tally[tcpSegments]++
	var key flowKey
	from := keyOf(p, &key)
	f := e.table.find(&key)
	e.current = f
	sequence := p.Sequence
	if p.Flags&link.SYN != 0 {
		sequence++
		f = e.syn(f, key, from, p.Flags&link.ACK != 0, sequence)
	}
	if f == nil {
		if len(p.Payload) == 0 {
			e.tally[tcpWithoutFlow]++
			e.current = nil
			return
		}
		f = e.open(key, false)
		e.guess(f, from)
	}
	e.current = f
	e.table.touch(f, e.now)
	e.count(f, from, len(p.Payload)+p.Missing)
	if len(p.Payload)+p.Missing > 0 {
		e.table.settle(f)
		if int(f.client) == 1-from {
			f.answered = true
		}
		if !f.ignored[from] {
			e.feed(f, from, sequence, p)
		}
		e.steer(f)
	}
	e.finish(f, from, p.Flags)
	e.current = nil
}

// syn takes the start of a connection and returns its flow.
func (e *engine) syn(f *flow, key flowKey, from int, answer bool, first uint32) *flow {
	if f != nil && f.known[from] && f.first[from] != first {
		e.close(f, flowsClosed) // the same ports again
		f = nil
	}
	if f == nil {
		f = e.open(key, true)
	}
	if !f.known[from] {
		f.known[from], f.first[from] = true, first
		if h := f.half[from]; h == nil && !answer || f.client == unknownEnd {
			client := from
			if answer {
				client = 1 - from
			}
			e.opener(f, client)
			if !answer && e.opened != nil {
				e.opened(f.describe())
			}
		}
	}
	if answer {
		f.answered = true
	}
	return f
}

// guess names the client of a connection whose start was not seen: the end
// with the higher port, as long as nothing tells otherwise.
func (e *engine) guess(f *flow, from int) {
	a, b := f.key.end(from), f.key.end(1-from)
	if a.Port < b.Port {
		from = 1 - from
	}
	e.opener(f, from)
}

// finish takes FIN and RST.
func (e *engine) finish(f *flow, from int, flags uint8) {
	if flags&(link.FIN|link.RST) == 0 {
		return
	}
	f.finished[from] = true
	if flags&link.RST != 0 {
		f.finished[1-from] = true
	}
	if !f.finished[0] || !f.finished[1] {
		return
	}
	for _, h := range f.half {
		if h != nil && h.buffer.Gap() {
			return // a segment may still come; else the flow goes when it is idle
		}
	}
	e.close(f, flowsClosed)
}

// close reads what is left in the buffers, reports a connection that gave no
// name, and forgets it.
func (e *engine) close(f *flow, why counter) {
	e.tally[why]++
	for from := range f.half {
		e.drain(f, from)
	}
	e.loseDatagrams(f)
	e.endQUIC(f)
	e.report(f)
	e.resume(f, f.last)
	e.untrack(f)
	e.table.remove(f)
}

// feed puts a segment in order and reads on.
func (e *engine) feed(f *flow, from int, sequence uint32, p *link.Packet) {
	h := f.half[from]
	if h == nil {
		h = e.table.half(f, from)
		if f.known[from] {
			h.buffer.Start(f.first[from])
		}
	}
	ready, outcome := h.buffer.Add(sequence, p.Payload)
	for outcome == stream.Full {
		e.jump(f, from)
		if f.ignored[from] {
			break
		}
		ready, outcome = h.buffer.Add(sequence, p.Payload)
	}
	switch outcome {
	case stream.Ready:
		e.read(f, from, ready, false)
		e.pull(f, from)
	case stream.Skipped:
		e.pull(f, from)
	case stream.Duplicate:
		e.tally[tcpDuplicates]++
	case stream.Waiting:
		e.tally[tcpOutOfOrder]++
	}
	if p.Missing > 0 && outcome != stream.Waiting && outcome != stream.Duplicate && !f.ignored[from] {
		e.lose(f, from, p.Missing)
	}
	if f.ignored[from] {
		e.table.dropHalf(f, from)
	}
	e.account(f)
}

// account keeps the byte budget: who has held bytes longest goes first.
func (e *engine) account(f *flow) {
	e.table.account(f)
	for e.table.held > e.limits.BufferBytes {
		oldest := e.table.oldest(heldQueue)
		if oldest == nil {
			return
		}
		e.tally[buffersEvicted]++
		e.empty(oldest)
	}
	e.current = f
}

// empty reads what is left in the buffers of a flow and takes them away.
func (e *engine) empty(f *flow) {
	defer e.recover()
	e.current = f
	for from := range f.half {
		e.drain(f, from)
		e.table.dropHalf(f, from)
		f.ignored[from] = true
	}
	e.loseDatagrams(f)
	e.endQUIC(f)
	e.table.account(f)
}

// pull reads the segments that waited and now fit.
func (e *engine) pull(f *flow, from int) {
	h := f.half[from]
	for !f.ignored[from] {
		ready, ok := h.buffer.Pull()
		if !ok {
			return
		}
		e.read(f, from, ready, false)
	}
}

// jump gives up a gap and reads on behind it.
func (e *engine) jump(f *flow, from int) {
	h := f.half[from]
	e.last(f, from)
	if h.buffer.Jump() > 0 {
		e.tally[tcpGaps]++
	}
	h.restart()
	e.pull(f, from)
}

// lose takes note that the snap length cut a segment.
func (e *engine) lose(f *flow, from int, missing int) {
	h := f.half[from]
	e.last(f, from)
	if !f.ignored[from] {
		h.buffer.Lose(missing)
		h.restart()
	}
}

// drain reads all that is left, gaps or not.
func (e *engine) drain(f *flow, from int) {
	h := f.half[from]
	if h == nil || f.ignored[from] {
		return
	}
	for {
		gap := h.buffer.Gap()
		e.last(f, from)
		if !gap || f.ignored[from] {
			break
		}
		if h.buffer.Jump() > 0 {
			e.tally[tcpGaps]++
		}
		h.restart()
		e.pull(f, from)
	}
	f.ignored[from] = true
}

// last reads what was not consumed, knowing that its continuation is lost.
func (e *engine) last(f *flow, from int) {
	h := f.half[from]
	if rest := h.buffer.Rest(); len(rest) > 0 && !f.ignored[from] {
		h.need = 0
		e.read(f, from, rest, true)
	}
}
