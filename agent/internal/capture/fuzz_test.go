package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// checkFile holds a file against what must be true of any: reading ends with
// io.EOF or a *FormatError, frames lie within the file, and a longer file
// starts with the frames of a shorter one.
func checkFile(t *testing.T, file []byte) {
	frames, _, err := readAll(file)
	var format *FormatError
	if !errors.Is(err, io.EOF) && !errors.As(err, &format) {
		t.Fatalf("ended with %v", err)
	}
	total := 0
	for _, f := range frames {
		total += len(f.Data)
		if len(f.Data) > MaxFrame || f.Length < len(f.Data) {
			t.Fatalf("frame of %d bytes, %d on the wire", len(f.Data), f.Length)
		}
	}
	zipped := len(file) > 1 && file[0] == 0x1f && file[1] == 0x8b
	if !zipped && total > len(file) {
		t.Fatalf("%d bytes of frames in a file of %d", total, len(file))
	}
	if zipped {
		return
	}
	half, _, _ := readAll(file[:len(file)/2])
	if len(half) > len(frames) {
		t.Fatalf("half of the file has %d frames, the whole %d", len(half), len(frames))
	}
	for i := range half {
		if !bytes.Equal(half[i].Data, frames[i].Data) {
			t.Fatalf("frame %d differs in half of the file", i)
		}
	}
}

func FuzzPcap(f *testing.F) {
	for _, order := range []wire.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.Add(wire.Pcap{Order: order, Nano: true, Minor: 4, Link: 1}.File([]byte("frame"), nil))
		f.Add(wire.Pcap{Order: order, Minor: 2, Link: 101}.File([]byte("frame"), []byte("next")))
	}
	f.Add(wire.Gzip(wire.EthernetFile([]byte("frame"))))
	f.Fuzz(checkFile)
}

func FuzzPcapng(f *testing.F) {
	for _, order := range []wire.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		resolution := wire.Option(order, optionResolution, []byte{0x8a})
		f.Add(wire.Join(wire.Section(order), wire.Interface(order, 1, resolution), wire.Enhanced(order, 0, 77, 9, []byte("frame"))))
		f.Add(wire.Join(wire.Section(order), wire.Block(order, 99, []byte("unknown")), wire.Interface(order, 1),
			wire.Block(order, blockSimple, append(order.AppendUint32(nil, 4), "data"...)), wire.Section(order)))
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		checkFile(t, rest)
		// The same as a further block of a sound file, so that the fuzzer need
		// not find the header each time.
		checkFile(t, wire.Join(wire.Section(binary.LittleEndian), wire.Interface(binary.LittleEndian, 1), rest))
	})
}
