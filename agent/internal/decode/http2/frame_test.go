package http2

import (
	"bytes"
	"testing"

	xhttp2 "golang.org/x/net/http2"
)

// Every frame that x/net writes has a plausible header, and is read as what it
// is.
func TestFramesOfXNet(t *testing.T) {
	var out bytes.Buffer
	fr := xhttp2.NewFramer(&out, nil)
	for _, err := range []error{
		fr.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingHeaderTableSize, Val: 1}),
		fr.WriteSettingsAck(),
		fr.WriteWindowUpdate(0, 1000),
		fr.WriteWindowUpdate(1, 1000),
		fr.WritePing(true, [8]byte{1}),
		fr.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("block"), EndHeaders: true, PadLength: 7, Priority: xhttp2.PriorityParam{Weight: 3}}),
		fr.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte("block")}),
		fr.WriteContinuation(3, true, []byte("more")),
		fr.WriteDataPadded(3, true, []byte("data"), make([]byte, 5)),
		fr.WritePriority(3, xhttp2.PriorityParam{StreamDep: 1}),
		fr.WriteRSTStream(3, xhttp2.ErrCodeCancel),
		fr.WritePushPromise(xhttp2.PushPromiseParam{StreamID: 3, PromiseID: 2, BlockFragment: []byte("x")}),
		fr.WriteGoAway(3, xhttp2.ErrCodeNo, []byte("bye")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []Type{Settings, Settings, WindowUpdate, WindowUpdate, Ping, Headers, Headers, Continuation, Data, Priority, ResetStream, PushPromise, GoAway}
	b := out.Bytes()
	for i, kind := range want {
		f, ok := Plausible(b)
		if !ok || f.Type != kind {
			t.Fatalf("frame %d: %+v, %v", i, f, ok)
		}
		payload := b[HeaderSize : HeaderSize+f.Length]
		if fragment, ok := f.Fragment(payload); f.Type == Headers && (!ok || string(fragment) != "block") {
			t.Errorf("fragment %q", fragment)
		}
		if f.Type == Headers && f.EndHeaders() != (i == 5) {
			t.Errorf("frame %d: %+v", i, f)
		}
		b = b[HeaderSize+f.Length:]
	}
	if len(b) != 0 {
		t.Errorf("%d bytes are left", len(b))
	}
}

func TestImplausibleFrames(t *testing.T) {
	f := func(what string, b ...byte) {
		t.Helper()
		if got, ok := Plausible(b); ok {
			t.Errorf("%s: %+v", what, got)
		}
	}
	f("nothing")
	f("cut", 0, 0, 0, 4, 0, 0, 0, 0)
	f("too long", 0, 0x40, 1, 0, 0, 0, 0, 0, 1)
	f("unknown type", 0, 0, 0, 10, 0, 0, 0, 0, 1)
	f("reserved bit", 0, 0, 0, 0, 0, 0x80, 0, 0, 1)
	f("data of no stream", 0, 0, 0, 0, 0, 0, 0, 0, 0)
	f("settings of a stream", 0, 0, 0, 4, 0, 0, 0, 0, 1)
	f("settings of 7 bytes", 0, 0, 7, 4, 0, 0, 0, 0, 0)
	f("empty header", 0, 0, 0, 1, 4, 0, 0, 0, 1)
	f("unknown flag", 0, 0, 1, 1, 0x44, 0, 0, 0, 1)
	f("text", []byte("GET / HTTP/1.1")...)
	f("TLS", 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc)
	if _, ok := (Frame{Length: 3, Type: Headers, Flags: flagPadded}).Fragment([]byte{9, 1, 2}); ok {
		t.Error("padding longer than the frame is taken")
	}
}

// FuzzFrames walks bytes as frames.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 3, 1, 0x0d, 0, 0, 0, 1, 1, 0x82, 0}, 100)
	f.Add([]byte{0, 0, 6, 1, 0x24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x82, 0, 0, 0, 9, 4, 0, 0, 0, 1}, 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		b = b[:min(len(b), max(cut, 0))]
		for at := 0; ; {
			frame, ok := ParseFrame(b[at:])
			if !ok {
				return
			}
			if again, plausible := Plausible(b[at:]); plausible && again != frame {
				t.Fatalf("%+v and %+v", frame, again)
			}
			if frame.Length < 0 || frame.Length >= 1<<24 || frame.Stream >= 1<<31 {
				t.Fatalf("%+v", frame)
			}
			at += HeaderSize
			next := min(at+frame.Length, len(b))
			if fragment, ok := frame.Fragment(b[at:next]); ok && (len(fragment) > frame.Length || !bytes.Contains(b[at:next], fragment)) {
				t.Fatalf("%+v: %q is no part of %q", frame, fragment, b[at:next])
			}
			at = next
		}
	})
}
