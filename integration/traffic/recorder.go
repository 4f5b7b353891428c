package traffic

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// segmentBytes is what an Ethernet frame of 1,500 bytes leaves for TCP
// payload: a larger write is recorded as several segments, as a network would
// carry it.
const segmentBytes = 1460

// Recorder writes a capture of raw IP packets. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	writer *pcapgo.Writer
	port   uint16
	err    error
}

// NewRecorder writes the capture's header to w.
func NewRecorder(w io.Writer) (*Recorder, error) {
	writer := pcapgo.NewWriter(w)
	if err := writer.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		return nil, fmt.Errorf("beginning a capture: %w", err)
	}
	return &Recorder{writer: writer, port: 40000}, nil
}

// Err returns the first error of a write.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Dial connects to address and records what passes as a connection from client
// to server, whatever the real addresses are.
func (r *Recorder) Dial(address string, client netip.Addr, server netip.AddrPort) (net.Conn, error) {
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	r.mu.Lock()
	r.port++
	recorded := &recordedConn{Conn: connection, recorder: r, client: netip.AddrPortFrom(client, r.port), server: server, up: 1000, down: 9000}
	r.mu.Unlock()
	recorded.segment(true, flagSYN, nil)
	recorded.segment(false, flagSYN|flagACK, nil)
	recorded.segment(true, flagACK, nil)
	return recorded, nil
}

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagPSH = 0x08
	flagACK = 0x10
)

// recordedConn writes each read and write down as TCP segments.
type recordedConn struct {
	net.Conn
	recorder       *Recorder
	client, server netip.AddrPort
	mu             sync.Mutex
	up, down       uint32 // next sequence numbers
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.payload(false, p[:n])
	return n, err
}

func (c *recordedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.payload(true, p[:n])
	return n, err
}

func (c *recordedConn) Close() error {
	c.segment(true, flagFIN|flagACK, nil)
	return c.Conn.Close()
}

func (c *recordedConn) payload(up bool, data []byte) {
	for len(data) > 0 {
		n := min(len(data), segmentBytes)
		c.segment(up, flagPSH|flagACK, data[:n])
		data = data[n:]
	}
}

func (c *recordedConn) segment(up bool, flags byte, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	source, target, sequence, acknowledged := c.client, c.server, &c.up, c.down
	if !up {
		source, target, sequence, acknowledged = c.server, c.client, &c.down, c.up
	}
	header := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(header[0:], source.Port())
	binary.BigEndian.PutUint16(header[2:], target.Port())
	binary.BigEndian.PutUint32(header[4:], *sequence)
	binary.BigEndian.PutUint32(header[8:], acknowledged)
	header[12], header[13] = 5<<4, flags
	binary.BigEndian.PutUint16(header[14:], 65535)
	*sequence += uint32(len(data))
	if flags&(flagSYN|flagFIN) != 0 {
		*sequence++
	}
	c.recorder.packet(6, source.Addr(), target.Addr(), append(header, data...))
}

// Datagram records one UDP packet.
func (r *Recorder) Datagram(source, target netip.AddrPort, data []byte) {
	header := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(header[0:], source.Port())
	binary.BigEndian.PutUint16(header[2:], target.Port())
	binary.BigEndian.PutUint16(header[4:], uint16(8+len(data)))
	r.packet(17, source.Addr(), target.Addr(), append(header, data...))
}

// packet writes an IPv4 packet. Checksums of the payload are left at zero:
// network cards fill them in, so captures of sent packets lack them too.
func (r *Recorder) packet(protocol byte, source, target netip.Addr, payload []byte) {
	packet := make([]byte, 20, 20+len(payload))
	packet[0] = 4<<4 | 5
	binary.BigEndian.PutUint16(packet[2:], uint16(20+len(payload)))
	packet[8], packet[9] = 64, protocol
	from, to := source.As4(), target.As4()
	copy(packet[12:], from[:])
	copy(packet[16:], to[:])
	packet = append(packet, payload...)
	r.mu.Lock()
	defer r.mu.Unlock()
	info := gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: len(packet), Length: len(packet)}
	if err := r.writer.WritePacket(info, packet); err != nil && r.err == nil {
		r.err = fmt.Errorf("recording a packet: %w", err)
	}
}
