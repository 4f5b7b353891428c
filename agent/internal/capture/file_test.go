package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// readAll returns copies of the frames and how reading ended.
func readAll(file []byte) (frames []Frame, skipped uint64, err error) {
	r, err := OpenFile(bytes.NewReader(file))
	if err != nil {
		return nil, 0, err
	}
	for {
		var f Frame
		if err := r.Next(&f); err != nil {
			if again := r.Next(&f); !errors.Is(again, err) {
				return nil, 0, fmt.Errorf("the second error is %w and not %w", again, err)
			}
			return frames, r.Skipped(), err
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
	}
}

func mustRead(t *testing.T, file []byte) []Frame {
	t.Helper()
	frames, _, err := readAll(file)
	if !errors.Is(err, io.EOF) {
		t.Fatalf("reading ended with %v", err)
	}
	return frames
}

func TestPcapVersionsAndOrders(t *testing.T) {
	one, two := []byte("first frame"), []byte("second")
	for _, order := range []wire.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, nano := range []bool{false, true} {
			for _, minor := range []uint16{0, 1, 2, 3, 4} {
				for _, zipped := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v nano=%v 2.%d gzip=%v", order, nano, minor, zipped), func(t *testing.T) {
						file := wire.Pcap{Order: order, Nano: nano, Minor: minor, Link: 1 | 4<<28}.File(one, two)
						if zipped {
							file = wire.Gzip(file)
						}
						unit := 1000
						if nano {
							unit = 1
						}
						want := []Frame{
							{Time: time.Unix(1000, 0), Link: LinkEthernet, Data: one, Length: len(one)},
							{Time: time.Unix(1001, int64(250*unit)), Link: LinkEthernet, Data: two, Length: len(two)},
						}
						if diff := cmp.Diff(want, mustRead(t, file)); diff != "" {
							t.Error(diff)
						}
					})
				}
			}
		}
	}
}

func TestPcapLengthOrderOfOldVersions(t *testing.T) {
	// A cut frame: 4 bytes of 9 on the wire, in the order of each version.
	for minor, swapped := range map[uint16]bool{0: true, 2: true, 3: true, 4: false} {
		file := wire.Pcap{Minor: minor, Link: 101}.File([]byte("abcd"))
		at := 24 + 12
		if swapped {
			at = 24 + 8
		}
		binary.LittleEndian.PutUint32(file[at:], 9)
		got := mustRead(t, file)
		if len(got) != 1 || got[0].Length != 9 || string(got[0].Data) != "abcd" {
			t.Errorf("2.%d: %+v", minor, got)
		}
	}
}

func TestPcapModifiedRecordHeader(t *testing.T) {
	plain := wire.EthernetFile([]byte("abcd"))
	binary.LittleEndian.PutUint32(plain, magicModified)
	file := wire.Join(plain[:24+16], make([]byte, 8), plain[24+16:])
	if got := mustRead(t, file); len(got) != 1 || string(got[0].Data) != "abcd" {
		t.Errorf("%+v", got)
	}
}

func TestTruncatedTailKeepsWhatCameBefore(t *testing.T) {
	section := func() []byte {
		order := binary.LittleEndian
		return wire.Join(wire.Section(order), wire.Interface(order, 1),
			wire.Enhanced(order, 0, 1, 4, []byte("abcd")), wire.Enhanced(order, 0, 2, 4, []byte("efgh")))
	}
	for name, file := range map[string][]byte{
		"pcap": wire.EthernetFile([]byte("abcd"), []byte("efgh")), "pcapng": section(),
	} {
		whole := len(mustRead(t, file))
		for n := range file {
			frames, _, err := readAll(file[:n])
			var format *FormatError
			switch {
			case errors.As(err, &format) && format.Truncated:
			case errors.Is(err, io.EOF) && n > 0:
				// At the border of two records a shorter file is sound.
				if rest := mustRead(t, file); len(frames) >= whole && n < len(file) {
					t.Errorf("%s cut at %d: %d frames of %d", name, n, len(frames), len(rest))
				}
			default:
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

func TestTruncatedGzip(t *testing.T) {
	zipped := wire.Gzip(wire.EthernetFile(bytes.Repeat([]byte("abcd"), 1000)))
	_, _, err := readAll(zipped[:len(zipped)-10])
	var format *FormatError
	if !errors.As(err, &format) {
		t.Errorf("got %v", err)
	}
}

func TestUnsoundFiles(t *testing.T) {
	order := binary.LittleEndian
	head := wire.Join(wire.Section(order), wire.Interface(order, 1))
	huge := wire.EthernetFile([]byte("abcd"))
	order.PutUint32(huge[24+8:], MaxFrame+1)
	lying := wire.Enhanced(order, 0, 1, 4, []byte("abcd"))
	order.PutUint32(lying[8+12:], 5000)
	differing := wire.Enhanced(order, 0, 1, 4, []byte("abcd"))
	differing[len(differing)-4] ^= 4
	oversized := order.AppendUint32(order.AppendUint32(nil, blockEnhanced), maxBlockInFull+4)
	many := bytes.Clone(head)
	for range maxInterfaces {
		many = append(many, wire.Interface(order, 1)...)
	}
	for name, file := range map[string][]byte{
		"nothing":              nil,
		"text":                 []byte("this is no capture file at all"),
		"version 3":            append(order.AppendUint16(order.AppendUint32(nil, magicMicro), 3), make([]byte, 18)...),
		"version 2.5":          wire.Pcap{Minor: 5, Link: 1}.File(),
		"record too long":      huge,
		"no section":           wire.Interface(order, 1),
		"no byte order":        wire.Block(order, blockSection, make([]byte, 16)),
		"packet longer":        wire.Join(head, lying),
		"lengths differ":       wire.Join(head, differing),
		"block too long":       wire.Join(head, oversized, make([]byte, 64)),
		"block length odd":     wire.Join(head, order.AppendUint32(order.AppendUint32(nil, 6), 33), make([]byte, 64)),
		"block length short":   wire.Join(head, order.AppendUint32(order.AppendUint32(nil, 6), 8), make([]byte, 64)),
		"interface too short":  wire.Join(wire.Section(order), wire.Block(order, blockInterface, make([]byte, 4))),
		"packet too short":     wire.Join(head, wire.Block(order, blockEnhanced, make([]byte, 12))),
		"old packet too short": wire.Join(head, wire.Block(order, blockPacket, make([]byte, 12))),
		"simple too short":     wire.Join(head, wire.Block(order, blockSimple, nil)),
		"too many interfaces":  many,
		"bad gzip":             {0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9},
	} {
		_, _, err := readAll(file)
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: got %v, want a *FormatError", name, err)
		}
	}
}

func TestPcapngKindsOfBlocks(t *testing.T) {
	for _, order := range []wire.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		nano := wire.Option(order, optionResolution, []byte{9})
		binaryUnits := wire.Option(order, optionResolution, []byte{0x80 | 10})
		offset := wire.Option(order, optionOffset, order.AppendUint64(nil, 100))
		old := order.AppendUint16(order.AppendUint16(nil, 0), 3)
		for _, n := range []uint32{0, 5_000_000, 3, 3} {
			old = order.AppendUint32(old, n)
		}
		file := wire.Join(
			wire.Section(order),
			wire.Interface(order, 1),
			wire.Interface(order, 101, nano, wire.Option(order, 2, []byte("name of it")), offset, wire.Option(order, 0, nil)),
			wire.Interface(order, 113, binaryUnits),
			wire.Block(order, 0x0bad, []byte("nobody knows")), // an unknown block
			wire.Block(order, 10, []byte("keys")),             // decryption secrets
			wire.Enhanced(order, 0, 2_500_000, 10, []byte("micro")),
			wire.Enhanced(order, 1, 2_500_000_000, 4, []byte("nano")),
			wire.Enhanced(order, 2, 1536, 6, []byte("binary")),
			wire.Enhanced(order, 9, 1, 4, []byte("lost")), // of an interface that was not described
			wire.Block(order, blockPacket, append(old, "old"...)),
			wire.Block(order, blockSimple, append(order.AppendUint32(nil, 6), "simple"...)),
			wire.Section(order), // starts numbering anew
			wire.Interface(order, 108),
			wire.Enhanced(order, 0, 0, 3, []byte("new")),
		)
		want := []Frame{
			{Time: time.Unix(2, 5e8), Link: LinkEthernet, Data: []byte("micro"), Length: 10},
			{Time: time.Unix(102, 5e8), Link: LinkRaw, Interface: 1, Data: []byte("nano"), Length: 4},
			{Time: time.Unix(1, 5e8), Link: LinkSLL, Interface: 2, Data: []byte("binary"), Length: 6},
			{Time: time.Unix(5, 0), Link: LinkEthernet, Data: []byte("old"), Length: 3},
			{Time: time.Unix(5, 0), Link: LinkEthernet, Data: []byte("simple"), Length: 6},
			{Time: time.Unix(0, 0), Link: LinkLoop, Data: []byte("new"), Length: 3},
		}
		frames, skipped, err := readAll(file)
		if !errors.Is(err, io.EOF) || skipped != 3 {
			t.Errorf("%v: ended with %v, %d skipped", order, err, skipped)
		}
		want[4].Time = frames[4].Time // a simple block has none
		if diff := cmp.Diff(want, frames); diff != "" {
			t.Errorf("%v: %s", order, diff)
		}
	}
}

func TestTicksOfAnyResolution(t *testing.T) {
	for r := range 256 {
		i := pcapngInterface{units: ticks(byte(r))}
		if i.units == 0 {
			t.Fatalf("resolution %d has no units", r)
		}
		for _, stamp := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
			if n := i.at(stamp).Nanosecond(); n < 0 || n >= 1e9 {
				t.Errorf("resolution %d, stamp %d: %d ns", r, stamp, n)
			}
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestReaderErrorIsNotHidden(t *testing.T) {
	file := wire.EthernetFile([]byte("abcd"))
	r, err := OpenFile(io.MultiReader(bytes.NewReader(file[:30]), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	err = r.Next(new(Frame))
	var format *FormatError
	if !errors.As(err, &format) || format.Truncated || format.Cause == nil {
		t.Errorf("got %v", err)
	}
}

func BenchmarkPcap(b *testing.B) {
	frames := make([][]byte, 4096)
	for i := range frames {
		frames[i] = make([]byte, 300)
	}
	file := wire.EthernetFile(frames...)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := OpenFile(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		var f Frame
		for r.Next(&f) == nil {
		}
	}
}
