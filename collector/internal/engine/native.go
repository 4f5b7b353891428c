package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The few packets of the ClickHouse native protocol that readiness, the
// stranger check and a clean stop need. The revision is old on purpose: the
// server leaves out what it does not know.
// Source: https://clickhouse.com/docs/native-protocol/basics
const (
	protocolRevision = 54000

	clientHello = 0
	clientQuery = 1
	clientData  = 2
	clientPing  = 4

	serverHello     = 0
	serverException = 2
	serverProgress  = 3
	serverPong      = 4

	maxProtocolString = 1 << 20
)

// ServerError is an exception the engine answered with.
type ServerError struct {
	Code    int32 // https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
	Message string
}

// Error implements error.
func (e *ServerError) Error() string { return fmt.Sprintf("engine code %d: %s", e.Code, e.Message) }

// session is one connection that said hello.
type session struct {
	conn net.Conn
	r    *bufio.Reader
}

// login says hello. It closes conn when that fails.
func login(conn net.Conn, user, password string, timeout time.Duration) (*session, error) {
	s := &session{conn: conn, r: bufio.NewReader(conn)}
	if err := s.hello(user, password, timeout); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("logging in as %s: %w", user, err)
	}
	return s, nil
}

func (s *session) hello(user, password string, timeout time.Duration) error {
	if err := s.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	var b []byte
	b = append(b, clientHello)
	b = appendString(b, "gnomon engine probe")
	for _, n := range []uint64{1, 1, protocolRevision} {
		b = binary.AppendUvarint(b, n)
	}
	for _, text := range []string{"", user, password} {
		b = appendString(b, text)
	}
	if _, err := s.conn.Write(b); err != nil {
		return err
	}
	kind, err := s.packet()
	if err != nil {
		return err
	}
	if kind != serverHello {
		return fmt.Errorf("the engine answered hello with packet %d", kind)
	}
	return readHello(s.r)
}

func readHello(r *bufio.Reader) error {
	if _, err := readString(r); err != nil {
		return err
	}
	for range 3 { // version major, minor, revision
		if _, err := binary.ReadUvarint(r); err != nil {
			return err
		}
	}
	return nil
}

// ping asks for a sign of life.
func (s *session) ping() error {
	if _, err := s.conn.Write([]byte{clientPing}); err != nil {
		return err
	}
	kind, err := s.packet()
	if err == nil && kind != serverPong {
		err = fmt.Errorf("the engine answered ping with packet %d", kind)
	}
	return err
}

// start sends a query and returns how the engine takes it: nil when it begins
// to answer, a *ServerError when it refuses. The session is of no further use.
func (s *session) start(query string) error {
	b := []byte{clientQuery}
	b = appendString(b, "") // query id: the server makes one
	b = appendString(b, "") // no settings
	b = append(b, 2, 0)     // run to completion, uncompressed
	b = appendString(b, query)
	b = append(b, clientData)
	b = appendString(b, "")                           // no external table
	b = append(b, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0) // block info: not an overflow, bucket -1
	b = append(b, 0, 0)                               // no columns, no rows
	if _, err := s.conn.Write(b); err != nil {
		return err
	}
	for {
		kind, err := s.packet()
		if err != nil || kind != serverProgress {
			return err
		}
		for range 3 { // rows, bytes, total rows
			if _, err := binary.ReadUvarint(s.r); err != nil {
				return err
			}
		}
	}
}

// packet reads a packet's number; an exception is read whole and returned as
// an error.
func (s *session) packet() (uint64, error) {
	kind, err := binary.ReadUvarint(s.r)
	if err != nil {
		return 0, err
	}
	if kind != serverException {
		return kind, nil
	}
	e, err := readException(s.r)
	if err != nil {
		return 0, err
	}
	return 0, e
}

func (s *session) close() { _ = s.conn.Close() }

func readException(r *bufio.Reader) (*ServerError, error) {
	var code [4]byte
	if _, err := io.ReadFull(r, code[:]); err != nil {
		return nil, err
	}
	if _, err := readString(r); err != nil { // class name
		return nil, err
	}
	message, err := readString(r)
	if err != nil {
		return nil, err
	}
	return &ServerError{Code: int32(binary.LittleEndian.Uint32(code[:])), Message: message}, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errProtocolString = errors.New("a string of the engine is longer than 1 MiB")

func readString(r *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return "", err
	}
	if n > maxProtocolString {
		return "", errProtocolString
	}
	b := make([]byte, 0, min(n, 4096)) // grows with what really comes
	for uint64(len(b)) < n {
		chunk := min(n-uint64(len(b)), 4096)
		at := len(b)
		b = append(b, make([]byte, chunk)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return "", err
		}
	}
	return string(b), nil
}
