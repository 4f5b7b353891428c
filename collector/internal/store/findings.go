package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// findingRow is a finding beside the arrays its evidence is kept as.
type findingRow struct {
	finding.Finding
	kinds, values, selectors []string
	weak                     []bool
}

// finish turns what was scanned into the finding that was stored.
func (r *findingRow) finish() finding.Finding {
	f := r.Finding
	if len(f.Asset.Categories) == 0 {
		f.Asset.Categories = nil
	}
	if len(f.Attributes) == 0 {
		f.Attributes = nil
	}
	for i := range r.kinds {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: r.kinds[i], Value: r.values[i], Selector: r.selectors[i], Weak: r.weak[i]})
	}
	return f
}

// evidence is a column of one part of every piece of evidence.
func evidence[V any](name string, part func(finding.Evidence) V, dest func(*findingRow) any) column[findingRow] {
	return derived(name, func(r *findingRow) []V {
		list := make([]V, len(r.Evidence))
		for i, e := range r.Evidence {
			list[i] = part(e)
		}
		return list
	}, dest)
}

// findingColumns lists the columns of the findings table, each once.
func findingColumns() []column[findingRow] {
	type row = findingRow
	text := plain[row, string]
	number := plain[row, uint64]
	return []column[row]{
		hexID("finding_id", func(r *row) *string { return &r.ID }),
		hexID("fingerprint", func(r *row) *string { return &r.Fingerprint }),
		number("revision", func(r *row) *uint64 { return &r.Revision }),
		text("agent_id", func(r *row) *string { return &r.AgentID }),
		text("host_name", func(r *row) *string { return &r.HostName }),
		text("host_id", func(r *row) *string { return &r.HostID }),
		text("os", func(r *row) *string { return &r.OS }),
		text("channel", func(r *row) *string { return &r.Channel }),
		text("sensor", func(r *row) *string { return &r.Sensor }),
		plain("retro", func(r *row) *bool { return &r.Retro }),
		times("window_start", func(r *row) *time.Time { return &r.WindowStart }),
		times("window_end", func(r *row) *time.Time { return &r.WindowEnd }),
		times("first_seen", func(r *row) *time.Time { return &r.FirstSeen }),
		times("last_seen", func(r *row) *time.Time { return &r.LastSeen }),
		number("count", func(r *row) *uint64 { return &r.Count }),
		text("asset_key", func(r *row) *string { return &r.Asset.Key }),
		text("asset_kind", func(r *row) *string { return &r.Asset.Kind }),
		text("asset_name", func(r *row) *string { return &r.Asset.Name }),
		text("signature_id", func(r *row) *string { return &r.Asset.SignatureID }),
		text("provider", func(r *row) *string { return &r.Asset.Provider }),
		text("country", func(r *row) *string { return &r.Asset.Country }),
		plain("categories", func(r *row) *[]string { return &r.Asset.Categories }),
		text("role", func(r *row) *string { return &r.Asset.Role }),
		text("status", func(r *row) *string { return &r.Asset.Status }),
		plain("confidence", func(r *row) *uint8 { return &r.Confidence }),
		evidence("evidence_kind", func(e finding.Evidence) string { return e.Kind }, func(r *row) any { return &r.kinds }),
		evidence("evidence_value", func(e finding.Evidence) string { return e.Value }, func(r *row) any { return &r.values }),
		evidence("evidence_selector", func(e finding.Evidence) string { return e.Selector }, func(r *row) any { return &r.selectors }),
		evidence("evidence_weak", func(e finding.Evidence) bool { return e.Weak }, func(r *row) any { return &r.weak }),
		text("catalogue", func(r *row) *string { return &r.Catalogue }),
		text("user_name", func(r *row) *string { return &r.User }),
		text("process_name", func(r *row) *string { return &r.ProcessName }),
		text("process_path", func(r *row) *string { return &r.ProcessPath }),
		text("parent_name", func(r *row) *string { return &r.ParentName }),
		text("container", func(r *row) *string { return &r.Container }),
		text("owner_unknown", func(r *row) *string { return &r.OwnerUnknown }),
		text("protocol", func(r *row) *string { return &r.Protocol }),
		text("peer_name", func(r *row) *string { return &r.PeerName }),
		text("peer_address", func(r *row) *string { return &r.PeerAddress }),
		plain("peer_port", func(r *row) *uint16 { return &r.PeerPort }),
		text("client_address", func(r *row) *string { return &r.ClientAddress }),
		number("bytes_up", func(r *row) *uint64 { return &r.BytesUp }),
		number("bytes_down", func(r *row) *uint64 { return &r.BytesDown }),
		text("model_path", func(r *row) *string { return &r.Model.Path }),
		text("model_format", func(r *row) *string { return &r.Model.Format }),
		text("model_name", func(r *row) *string { return &r.Model.Name }),
		text("model_family", func(r *row) *string { return &r.Model.Family }),
		text("model_architecture", func(r *row) *string { return &r.Model.Architecture }),
		text("model_publisher", func(r *row) *string { return &r.Model.Publisher }),
		text("model_license", func(r *row) *string { return &r.Model.License }),
		text("model_quantization", func(r *row) *string { return &r.Model.Quantization }),
		number("model_parameters", func(r *row) *uint64 { return &r.Model.Parameters }),
		text("model_sha256", func(r *row) *string { return &r.Model.SHA256 }),
		number("model_size", func(r *row) *uint64 { return &r.Model.SizeBytes }),
		text("model_store", func(r *row) *string { return &r.Model.Store }),
		text("model_problem", func(r *row) *string { return &r.Model.Problem }),
		plain("attributes", func(r *row) *map[string]string { return &r.Attributes }),
	}
}

// checkFinding is why a finding can never be stored, "" when it can.
func checkFinding(f *finding.Finding) string {
	if !validID(f.ID) {
		return fmt.Sprintf("id %.40q is not 32 hexadecimal digits", f.ID)
	}
	if !validID(f.Fingerprint) {
		return fmt.Sprintf("fingerprint %.40q is not 32 hexadecimal digits", f.Fingerprint)
	}
	if f.WindowStart.IsZero() {
		return "window_start is missing"
	}
	for _, t := range []struct {
		name string
		time time.Time
	}{{"window_start", f.WindowStart}, {"window_end", f.WindowEnd}, {"first_seen", f.FirstSeen}, {"last_seen", f.LastSeen}} {
		if !validTime(t.time) {
			return t.name + " is not between 1970 and 2100"
		}
	}
	return ""
}

// InsertFindings stores findings. They are durable when it returns nil. A
// finding with a known id replaces the stored one when its revision is not
// lower.
//
// A *Permanent error names the findings that can never be stored; the others
// are durable. After a *Retryable error the call may be repeated as a whole.
// Calls of 10,000 to 50,000 findings are fastest: each makes one part a month.
func (s *Store) InsertFindings(ctx context.Context, findings []finding.Finding) error {
	rows := make([]findingRow, 0, len(findings))
	var bad []BadRow
	for i := range findings {
		if reason := checkFinding(&findings[i]); reason != "" {
			bad = append(bad, BadRow{Index: i, Reason: reason})
			continue
		}
		rows = append(rows, findingRow{Finding: findings[i]})
	}
	err := insert(ctx, s, "inserting findings", "findings", findingColumns(), pointers(rows),
		func(r *findingRow) time.Time { return r.WindowStart })
	if err == nil && len(bad) > 0 {
		return &Permanent{Op: "inserting findings", Rows: bad}
	}
	return err
}

func pointers[T any](rows []T) []*T {
	list := make([]*T, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}

// FindingFilter chooses findings. The zero value chooses all, newest first.
type FindingFilter struct {
	Since, Until time.Time // window_start in [Since, Until)
	ID           string
	Fingerprint  string
	AgentID      string
	Host, User   string
	AssetKey     string
	Kind         string // of the asset
	Provider     string
	Sensor       string
	Channel      string
	PeerName     string
	Text         string // part of asset, host, user, process, peer or model name, in any case
	OldestFirst  bool
	Limit        int // 0: no limit
	Offset       int
}

func (f FindingFilter) where() *where {
	w := &where{}
	if !f.Since.IsZero() {
		w.add("toDate(window_start) >= toDate(toDateTime(?, 'UTC'))", f.Since.Unix())
		w.add("window_start >= toDateTime(?, 'UTC')", f.Since.Unix())
	}
	if !f.Until.IsZero() {
		w.add("toDate(window_start) <= toDate(toDateTime(?, 'UTC'))", f.Until.Unix())
		w.add("window_start < toDateTime(?, 'UTC')", f.Until.Unix())
	}
	for _, id := range []struct{ column, value string }{{"finding_id", f.ID}, {"fingerprint", f.Fingerprint}} {
		if id.value != "" {
			w.add(id.column+" = unhex(?)", id.value)
		}
	}
	w.text("agent_id", f.AgentID)
	w.text("host_name", f.Host)
	w.text("user_name", f.User)
	w.text("asset_key", f.AssetKey)
	w.text("asset_kind", f.Kind)
	w.text("provider", f.Provider)
	w.text("sensor", f.Sensor)
	w.text("channel", f.Channel)
	w.text("peer_name", f.PeerName)
	if f.Text != "" {
		var parts []string
		var args []any
		for _, c := range []string{"asset_name", "asset_key", "host_name", "user_name", "process_name", "peer_name", "model_name"} {
			parts = append(parts, "positionCaseInsensitiveUTF8("+c+", ?) > 0")
			args = append(args, f.Text)
		}
		w.add("("+strings.Join(parts, " OR ")+")", args...)
	}
	return w
}

// Findings streams findings to each, every window once. It stops at the first
// error of each and returns it. A limit of the filter is the caller's wish;
// there is none of the store's own.
func (s *Store) Findings(ctx context.Context, filter FindingFilter, each func(finding.Finding) error) error {
	w := filter.where()
	direction := " DESC"
	if filter.OldestFirst {
		direction = ""
	}
	columns := findingColumns()
	statement := "SELECT " + names(columns) + " FROM " + s.table("findings") + " FINAL" + w.String() +
		" ORDER BY toDate(window_start)" + direction + ", window_start" + direction + ", finding_id" + limit(filter.Limit, filter.Offset)
	return s.query(ctx, "reading findings", statement, w.args, func(rows driver.Rows) error {
		var row findingRow
		if err := rows.Scan(dests(columns, &row)...); err != nil {
			return fmt.Errorf("store: reading findings: %w", err)
		}
		return each(row.finish())
	})
}

// FindingCount is the number of windows the filter chooses; its limit, offset
// and order do not matter.
func (s *Store) FindingCount(ctx context.Context, filter FindingFilter) (uint64, error) {
	w := filter.where()
	return s.number(ctx, "counting findings", "SELECT count() FROM "+s.table("findings")+" FINAL"+w.String(), w.args...)
}

func (s *Store) number(ctx context.Context, op, statement string, args ...any) (uint64, error) {
	var n uint64
	err := s.do(ctx, op, func() error { return s.conn.QueryRow(ctx, statement, args...).Scan(&n) })
	return n, err
}

func limit(n, offset int) string {
	switch {
	case n > 0:
		return fmt.Sprintf(" LIMIT %d OFFSET %d", n, max(offset, 0))
	case offset > 0:
		return fmt.Sprintf(" OFFSET %d", offset)
	}
	return ""
}
