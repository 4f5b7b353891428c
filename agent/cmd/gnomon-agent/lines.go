package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// evidenceLine is one piece of evidence in a line of output.
type evidenceLine struct {
	Kind     string `json:"kind"`
	Value    string `json:"value"`
	Selector string `json:"selector,omitempty"`
	Weak     bool   `json:"weak,omitempty"`
}

// assetLine is an asset in a line of output.
type assetLine struct {
	Key        string   `json:"key"`
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`
	Signature  string   `json:"signature,omitempty"`
	Provider   string   `json:"provider,omitempty"`
	Country    string   `json:"country,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Role       string   `json:"role,omitempty"`
	Status     string   `json:"status,omitempty"`
}

func newAssetLine(a *finding.Asset) assetLine {
	return assetLine{
		Key: a.Key, Kind: a.Kind, Name: a.Name, Signature: a.SignatureID, Provider: a.Provider,
		Country: a.Country, Categories: a.Categories, Role: a.Role, Status: a.Status,
	}
}

func newEvidenceLines(list []finding.Evidence) []evidenceLine {
	lines := make([]evidenceLine, len(list))
	for i, e := range list {
		lines[i] = evidenceLine{e.Kind, e.Value, e.Selector, e.Weak}
	}
	return lines
}

// scanLine is one line of `scan`: one thing that was found.
type scanLine struct {
	Kind       string            `json:"kind"` // model_file, file or process
	Path       string            `json:"path,omitempty"`
	Format     string            `json:"format,omitempty"`
	Problem    string            `json:"problem,omitempty"`
	Confidence uint8             `json:"confidence"`
	Asset      assetLine         `json:"asset"`
	User       string            `json:"user,omitempty"`
	SizeBytes  int64             `json:"size_bytes,omitempty"`
	Modified   *time.Time        `json:"modified,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Store      string            `json:"store,omitempty"`
	Files      []string          `json:"files,omitempty"`
	Facts      map[string]string `json:"facts,omitempty"`
	PID        int32             `json:"pid,omitempty"`
	Process    string            `json:"process,omitempty"`
	Container  string            `json:"container,omitempty"`
	Ports      []uint16          `json:"ports,omitempty"`
	Evidence   []evidenceLine    `json:"evidence"`
}

func newScanLine(o *signatures.Observation, f *finding.Finding) scanLine {
	line := scanLine{
		Kind: string(o.Kind), Confidence: f.Confidence, Asset: newAssetLine(&f.Asset), User: f.User,
		Evidence: newEvidenceLines(f.Evidence),
	}
	if o.Kind == signatures.KindProcess {
		line.Path, line.PID, line.Process, line.Container, line.Ports = o.Process.Executable, o.Process.PID, o.Process.Name, o.Process.Container, o.Ports
		return line
	}
	file := &o.File
	line.Path, line.Format, line.Problem = file.Path, file.Format, file.Problem
	line.SizeBytes, line.SHA256, line.Store, line.Files, line.Facts = file.Size, file.SHA256, file.Store, file.Files, file.Facts
	if !file.ModTime.IsZero() {
		modified := file.ModTime.UTC()
		line.Modified = &modified
	}
	return line
}

// findingLine is one line of `replay --emit findings`.
type findingLine struct {
	File       string         `json:"file"`
	ID         string         `json:"id"`
	Revision   uint64         `json:"revision"`
	Sensor     string         `json:"sensor"`
	Asset      assetLine      `json:"asset"`
	Confidence uint8          `json:"confidence"`
	FirstSeen  time.Time      `json:"first_seen"`
	LastSeen   time.Time      `json:"last_seen"`
	Count      uint64         `json:"count"`
	Client     string         `json:"client,omitempty"`
	User       string         `json:"user,omitempty"`
	Protocol   string         `json:"protocol,omitempty"`
	Server     string         `json:"server,omitempty"`
	Name       string         `json:"name,omitempty"`
	ServerPort uint16         `json:"server_port,omitempty"`
	BytesUp    uint64         `json:"bytes_up,omitempty"`
	BytesDown  uint64         `json:"bytes_down,omitempty"`
	Evidence   []evidenceLine `json:"evidence"`
	Catalogue  string         `json:"catalogue"`
}

func newFindingLine(file string, f *finding.Finding) findingLine {
	return findingLine{
		File: file, ID: f.ID, Revision: f.Revision, Sensor: f.Sensor, Asset: newAssetLine(&f.Asset), Confidence: f.Confidence,
		FirstSeen: f.FirstSeen, LastSeen: f.LastSeen, Count: f.Count, Client: f.ClientAddress, User: f.User, Protocol: f.Protocol,
		Server: f.PeerAddress, Name: f.PeerName, ServerPort: f.PeerPort, BytesUp: f.BytesUp, BytesDown: f.BytesDown,
		Evidence: newEvidenceLines(f.Evidence), Catalogue: f.Catalogue,
	}
}

// matchLine is one line of `match`.
type matchLine struct {
	Input      string         `json:"input"`
	As         string         `json:"as"` // what the input was taken for
	Asset      assetLine      `json:"asset"`
	Confidence uint8          `json:"confidence"`
	Evidence   []evidenceLine `json:"evidence"`
}

// table writes aligned columns. Control characters in what was seen do not
// reach the terminal.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) {
	for i := range cells {
		cells[i] = strings.Map(dropControl, cells[i])
	}
	// Flush tells of a failed write.
	_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
}

// why is the deciding evidence in one cell.
func why(list []evidenceLine) string {
	if len(list) == 0 {
		return ""
	}
	text := list[0].Kind + "=" + list[0].Value
	if n := len(list) - 1; n > 0 {
		text += fmt.Sprintf(" (+%d)", n)
	}
	return text
}
