package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

const (
	largest = 65535                 // bytes of a frame; longer ones are no Ethernet of a real network
	step    = 50 * time.Microsecond // between two frames where the captures say nothing better
)

// mixture says what was written.
type mixture struct {
	Files, Passes  int
	Packets, Bytes uint64
	Left           int // captures that are not Ethernet or cannot be read
}

// frame is one frame of a capture in memory.
type frame struct {
	after time.Duration // since the frame before
	data  []byte
}

// mix writes the mixed capture.
func mix(folder, target string, size uint64) (mixture, error) {
	var m mixture
	captures, err := load(folder, &m)
	if err != nil {
		return m, err
	}
	if len(captures) == 0 {
		return m, fmt.Errorf("no Ethernet capture below %s: name a folder of pcap or pcapng files", folder)
	}
	out, err := os.Create(target)
	if err != nil {
		return m, err
	}
	defer out.Close()
	buffered := bufio.NewWriterSize(out, 1<<20)
	w := pcapgo.NewWriter(buffered)
	if err := w.WriteFileHeader(262144, layers.LinkTypeEthernet); err != nil {
		return m, err
	}
	clock := time.Unix(1_700_000_000, 0)
	for m.Bytes < size {
		for _, frames := range captures {
			for _, f := range frames {
				clock = clock.Add(f.after)
				move(f.data, 1)
				info := gopacket.CaptureInfo{Timestamp: clock, CaptureLength: len(f.data), Length: len(f.data)}
				if err := w.WritePacket(info, f.data); err != nil {
					return m, err
				}
				m.Packets++
				m.Bytes += uint64(len(f.data)) + 16
			}
		}
		m.Passes++
	}
	if err := buffered.Flush(); err != nil {
		return m, err
	}
	return m, out.Close()
}

// load reads every Ethernet capture below folder.
func load(folder string, m *mixture) ([][]frame, error) {
	var all [][]frame
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		frames, err := readCapture(name)
		if err != nil || len(frames) == 0 {
			m.Left++
			return nil
		}
		m.Files++
		all = append(all, frames)
		return nil
	})
	return all, err
}

type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	LinkType() layers.LinkType
}

// readCapture returns the frames up to the first that cannot be read.
func readCapture(name string) ([]frame, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r packetReader
	if r, err = pcapgo.NewReader(file); err != nil {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if r, err = pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions); err != nil {
			return nil, err
		}
	}
	if r.LinkType() != layers.LinkTypeEthernet {
		return nil, errors.New("not Ethernet: " + strings.ToLower(r.LinkType().String()))
	}
	var frames []frame
	var before time.Time
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return frames, nil // what came before is good
		}
		if len(data) < 14 || len(data) > largest {
			continue
		}
		f := frame{after: step, data: data}
		if gap := info.Timestamp.Sub(before); !before.IsZero() && gap > 0 && gap < time.Second {
			f.after = gap
		}
		before = info.Timestamp
		frames = append(frames, f)
	}
}

// move adds n to the second byte of both outer IP addresses and keeps the
// checksums right (RFC 1624).
func move(b []byte, n byte) {
	kind, at := binary.BigEndian.Uint16(b[12:]), 14
	for (kind == 0x8100 || kind == 0x88a8) && len(b) >= at+4 {
		kind, at = binary.BigEndian.Uint16(b[at+2:]), at+4
	}
	ip := b[at:]
	switch {
	case kind == 0x0800 && len(ip) >= 20 && ip[0]>>4 == 4:
		header := int(ip[0]&15) * 4
		first := binary.BigEndian.Uint16(ip[6:])&0x1fff == 0
		for _, address := range []int{12, 16} {
			change := shift(ip[address:], n)
			adjust(ip[10:], change)
			if first && len(ip) > header {
				adjustTransport(ip[9], ip[header:], change)
			}
		}
	case kind == 0x86dd && len(ip) >= 40:
		for _, address := range []int{8, 24} {
			adjustTransport(ip[6], ip[40:], shift(ip[address:], n))
		}
	}
}

// change is a 16-bit word before and after.
type change struct{ before, after uint16 }

func shift(address []byte, n byte) change {
	c := change{before: binary.BigEndian.Uint16(address)}
	address[1] += n
	c.after = binary.BigEndian.Uint16(address)
	return c
}

func adjustTransport(protocol byte, b []byte, c change) {
	switch {
	case protocol == 6 && len(b) >= 18:
		adjust(b[16:], c)
	case protocol == 17 && len(b) >= 8 && (b[6] != 0 || b[7] != 0):
		adjust(b[6:], c)
	}
}

func adjust(checksum []byte, c change) {
	sum := uint32(^binary.BigEndian.Uint16(checksum)) + uint32(^c.before) + uint32(c.after)
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(checksum, ^uint16(sum))
}
