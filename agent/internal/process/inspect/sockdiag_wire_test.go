package inspect

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// message builds one netlink message around body.
func message(kind uint16, sequence uint32, body []byte) []byte {
	order := binary.NativeEndian
	data := order.AppendUint32(nil, uint32(netlinkHeaderBytes+len(body)))
	data = order.AppendUint16(data, kind)
	data = order.AppendUint16(data, 0)
	data = order.AppendUint32(data, sequence)
	data = order.AppendUint32(data, 0)
	data = append(data, body...)
	for len(data)%4 != 0 {
		data = append(data, 0)
	}
	return data
}

// diagBody builds an inet_diag_msg.
func diagBody(s diagSocket) []byte {
	family := uint8(familyIPv6)
	if s.local.Addr().Is4() {
		family = familyIPv4
	}
	order := binary.NativeEndian
	body := []byte{family, s.state, 0, 0}
	body = binary.BigEndian.AppendUint16(body, s.local.Port())
	body = binary.BigEndian.AppendUint16(body, s.remote.Port())
	body = appendAddress(body, family, s.local.Addr())
	body = appendAddress(body, family, s.remote.Addr())
	body = append(body, make([]byte, 4)...) // interface
	body = order.AppendUint32(body, uint32(s.cookie))
	body = order.AppendUint32(body, uint32(s.cookie>>32))
	body = append(body, make([]byte, 12)...) // expires, queues
	body = order.AppendUint32(body, s.uid)
	return order.AppendUint32(body, s.inode)
}

func sampleSockets() []diagSocket {
	return []diagSocket{
		{state: 1, local: netip.MustParseAddrPort("10.0.0.1:40000"), remote: netip.MustParseAddrPort("192.0.2.1:443"), uid: 1000, inode: 4711, cookie: 0x1122334455667788},
		{state: 10, local: netip.MustParseAddrPort("[::]:11434"), remote: netip.MustParseAddrPort("[::]:0"), uid: 0, inode: 4712},
		{state: 1, local: netip.MustParseAddrPort("[2001:db8::1]:40000"), remote: netip.MustParseAddrPort("[2001:db8::2]:443"), uid: 4294967294, inode: 4294967295},
	}
}

// addressEqual compares addresses by value.
func socketEqual() cmp.Option {
	return cmp.Options{cmp.AllowUnexported(diagSocket{}, diagEvent{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}
}

func TestNextEventReadsWhatIsBuilt(t *testing.T) {
	var data []byte
	for _, s := range sampleSockets() {
		data = append(data, message(diagByFamily, 7, diagBody(s))...)
	}
	data = append(data, message(netlinkDone, 7, []byte{0, 0, 0, 0})...)
	var got []diagSocket
	done := false
	for len(data) > 0 {
		event, rest, err := nextEvent(data)
		if err != nil {
			t.Fatal(err)
		}
		if event.sequence != 7 {
			t.Errorf("sequence %d, want 7", event.sequence)
		}
		if event.isSocket {
			got = append(got, event.socket)
		}
		done = done || event.done
		data = rest
	}
	if diff := cmp.Diff(sampleSockets(), got, socketEqual()); diff != "" || !done {
		t.Errorf("done %v (-want +got):\n%s", done, diff)
	}
}

func TestNextEventErrors(t *testing.T) {
	f := func(name string, data []byte, want diagEvent, ok bool) {
		t.Helper()
		got, _, err := nextEvent(data)
		if (err == nil) != ok {
			t.Errorf("%s: error %v, want ok %v", name, err, ok)
		}
		if diff := cmp.Diff(want, got, socketEqual()); ok && diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	code := int32(-2)
	noEntry := binary.NativeEndian.AppendUint32(nil, uint32(code))
	f("not found", message(netlinkError, 3, noEntry), diagEvent{isError: true, errno: 2, sequence: 3}, true)
	f("acknowledged", message(netlinkError, 3, make([]byte, 4)), diagEvent{isError: true, sequence: 3}, true)
	f("another kind", message(99, 3, nil), diagEvent{sequence: 3}, true)
	f("short error", message(netlinkError, 3, []byte{1})[:17], diagEvent{}, false)
	f("short header", make([]byte, 15), diagEvent{}, false)
	f("no length", make([]byte, 16), diagEvent{}, false)
	whole := message(diagByFamily, 1, diagBody(sampleSockets()[0]))
	f("cut", whole[:40], diagEvent{}, false)
	f("short socket", message(diagByFamily, 1, diagBody(sampleSockets()[0])[:71]), diagEvent{}, false)
	unix := diagBody(sampleSockets()[0])
	unix[0] = 1
	f("another family", message(diagByFamily, 1, unix), diagEvent{}, false)
}

func TestAppendQuery(t *testing.T) {
	q := diagQuery{
		family: familyIPv4, protocol: protocolTCP, states: 0xffffffff,
		local: netip.MustParseAddrPort("10.0.0.1:258"), remote: netip.MustParseAddrPort("192.0.2.1:443"),
	}
	data := appendQuery(nil, q, 9)
	if len(data) != netlinkHeaderBytes+diagRequestBytes || int(binary.NativeEndian.Uint32(data)) != len(data) {
		t.Fatalf("%d bytes, header says %d", len(data), binary.NativeEndian.Uint32(data))
	}
	want := []byte{1, 2, 1, 187, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1}
	if diff := cmp.Diff(want, data[24:48]); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
	buffer := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() { buffer = appendQuery(buffer[:0], q, 9) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzNextEvent(f *testing.F) {
	for _, s := range sampleSockets() {
		f.Add(append(message(diagByFamily, 7, diagBody(s)), message(netlinkDone, 7, []byte{0, 0, 0, 0})...))
	}
	f.Add(message(netlinkError, 3, []byte{0xfe, 0xff, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			event, rest, err := nextEvent(data)
			if err != nil {
				return
			}
			if len(rest) > len(data)-netlinkHeaderBytes {
				t.Fatalf("%d bytes left of %d", len(rest), len(data))
			}
			// Ends of two families, which no socket has, cannot be written back.
			if !event.isSocket || event.socket.local.Addr().Is4() != event.socket.remote.Addr().Is4() {
				data = rest
				continue
			}
			again, _, err := nextEvent(message(diagByFamily, event.sequence, diagBody(event.socket)))
			if err != nil {
				t.Fatalf("reading %+v again: %v", event.socket, err)
			}
			if again.socket != event.socket {
				t.Errorf("read again %+v, first %+v", again.socket, event.socket)
			}
			data = rest
		}
	})
}
