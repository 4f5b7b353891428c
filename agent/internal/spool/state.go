package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

const (
	stateName  = "state"
	stateMagic = "GNSTATE1"
	// slotSize is the smallest unit that a disk writes. The state file has two
	// slots, written in turn and in place: one is always whole, and writing
	// needs no free space, so that a full disk does not stop acknowledgements.
	slotSize = 512
)

// state is what outlives the process beside the segments: how far the records
// are done with, and the totals of what was lost, since the spool was made.
type state struct {
	Generation        uint64 // grows with every write
	Acked             uint64 // every record up to this position is delivered or dropped
	DroppedRecords    uint64
	DroppedFindings   uint64
	DroppedHeartbeats uint64
	TornTails         uint64
	TornBytes         uint64
	CorruptRecords    uint64
	CorruptBytes      uint64
	CorruptSegments   uint64
	DamagedStates     uint64
}

// encode returns one slot: magic, fields, CRC-32C of both, zeros.
func (s *state) encode() []byte {
	var buffer bytes.Buffer
	buffer.WriteString(stateMagic)
	// Writing fixed-size integers to a buffer cannot fail.
	_ = binary.Write(&buffer, binary.LittleEndian, s)
	sum := crc32.Checksum(buffer.Bytes(), castagnoli)
	slot := make([]byte, slotSize)
	copy(slot, binary.LittleEndian.AppendUint32(buffer.Bytes(), sum))
	return slot
}

// decodeState reads one slot; ok is false where it is not whole.
func decodeState(slot []byte) (s state, ok bool) {
	end := len(stateMagic) + binary.Size(s)
	if len(slot) < end+4 || string(slot[:len(stateMagic)]) != stateMagic {
		return state{}, false
	}
	if crc32.Checksum(slot[:end], castagnoli) != binary.LittleEndian.Uint32(slot[end:]) {
		return state{}, false
	}
	if _, err := binary.Decode(slot[len(stateMagic):end], binary.LittleEndian, &s); err != nil {
		return state{}, false
	}
	return s, true
}

// openState opens or makes the state file at path and reads the newer whole
// slot. Where neither is whole, nothing counts as acknowledged: what is still
// in the log is sent again, which a collector recognises by the finding ids.
func openState(path string) (*os.File, state, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, state{}, fmt.Errorf("opening spool state: %w", err)
	}
	raw := make([]byte, 2*slotSize)
	n, err := file.ReadAt(raw, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, state{}, errors.Join(fmt.Errorf("reading spool state: %w", err), file.Close())
	}
	raw = raw[:n]
	if n == 0 {
		return file, state{}, nil
	}
	a, aOK := decodeState(raw[:min(n, slotSize)])
	b, bOK := decodeState(raw[min(n, slotSize):])
	switch {
	case !aOK && !bOK:
		return file, state{DamagedStates: 1}, nil
	case bOK && (!aOK || b.Generation > a.Generation):
		return file, b, nil
	default:
		return file, a, nil
	}
}

// save writes next to the older slot of file and to the disk.
func (s *Spool) save(next state) error {
	next.Generation = s.state.Generation + 1
	_, err := s.stateFile.WriteAt(next.encode(), int64(next.Generation%2)*slotSize)
	if err == nil {
		err = s.stateFile.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing spool state: %w", err)
	}
	s.state = next
	return nil
}

// writeSynced writes a file of mode 0600 and its content to the disk.
func writeSynced(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}
