package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// UsageSegment is the part of a usage during which one inventory revision was
// in force, with all that reconciling needs. Where findings of a segment
// differ, a single value is that of the finding with the highest confidence
// (of these the latest), and a list holds all of them.
type UsageSegment struct {
	AssetKey   string
	Host, User string
	Day        time.Time // UTC midnight
	// Revisions is how many of the given revision times had passed: the index
	// of the revision in force plus one, 0 before the first.
	Revisions int

	AssetKind, AssetName, SignatureID, Provider, Country, Role string
	Catalogue                                                  string
	ModelName, ModelFamily, ModelSHA256                        string
	ModelPublisher, ModelFormat, ModelLicense                  string
	Domain                                                     string // peer name
	PeerAddress, ClientAddress                                 string
	Channel, Sensor, OS, AgentID                               string
	OwnerUnknown                                               string
	EvidenceKinds, EvidenceValues                              []string // of that finding

	// Lists are sorted and hold at most 64 values; the counts beside them are
	// of all. Of channels there are three.
	Domains            []string
	DomainCount        uint64
	Channels           []string
	ClientAddresses    []string
	ClientAddressCount uint64
	Processes          []string // names
	ProcessCount       uint64

	Confidence uint8 // the highest
	FirstSeen  time.Time
	LastSeen   time.Time
	Count      uint64    // observations
	Windows    uint64    // findings
	InsertedAt time.Time // when the newest of them was stored, by the server's clock
}

func segmentAggregates() []aggregate[UsageSegment] {
	type row = UsageSegment
	return []aggregate[row]{
		best("asset_kind", func(r *row) *string { return &r.AssetKind }),
		best("asset_name", func(r *row) *string { return &r.AssetName }),
		best("signature_id", func(r *row) *string { return &r.SignatureID }),
		best("provider", func(r *row) *string { return &r.Provider }),
		best("country", func(r *row) *string { return &r.Country }),
		best("role", func(r *row) *string { return &r.Role }),
		best("catalogue", func(r *row) *string { return &r.Catalogue }),
		best("model_name", func(r *row) *string { return &r.ModelName }),
		best("model_family", func(r *row) *string { return &r.ModelFamily }),
		best("model_sha256", func(r *row) *string { return &r.ModelSHA256 }),
		best("model_publisher", func(r *row) *string { return &r.ModelPublisher }),
		best("model_format", func(r *row) *string { return &r.ModelFormat }),
		best("model_license", func(r *row) *string { return &r.ModelLicense }),
		best("peer_name", func(r *row) *string { return &r.Domain }),
		best("peer_address", func(r *row) *string { return &r.PeerAddress }),
		best("client_address", func(r *row) *string { return &r.ClientAddress }),
		best("channel", func(r *row) *string { return &r.Channel }),
		best("sensor", func(r *row) *string { return &r.Sensor }),
		best("os", func(r *row) *string { return &r.OS }),
		best("agent_id", func(r *row) *string { return &r.AgentID }),
		best("owner_unknown", func(r *row) *string { return &r.OwnerUnknown }),
		best("evidence_kind", func(r *row) *[]string { return &r.EvidenceKinds }),
		best("evidence_value", func(r *row) *[]string { return &r.EvidenceValues }),
		list("peer_name", func(r *row) *[]string { return &r.Domains }),
		distinct("peer_name", func(r *row) *uint64 { return &r.DomainCount }),
		list("channel", func(r *row) *[]string { return &r.Channels }),
		list("client_address", func(r *row) *[]string { return &r.ClientAddresses }),
		distinct("client_address", func(r *row) *uint64 { return &r.ClientAddressCount }),
		list("process_name", func(r *row) *[]string { return &r.Processes }),
		distinct("process_name", func(r *row) *uint64 { return &r.ProcessCount }),
		total("max(f.confidence)", func(r *row) *uint8 { return &r.Confidence }),
		seen("min(f.first_seen)", func(r *row) *time.Time { return &r.FirstSeen }),
		seen("max(f.last_seen)", func(r *row) *time.Time { return &r.LastSeen }),
		total("sum(f.count)", func(r *row) *uint64 { return &r.Count }),
		total("count()", func(r *row) *uint64 { return &r.Windows }),
		seen("max(f.inserted_at)", func(r *row) *time.Time { return &r.InsertedAt }),
	}
}

// SegmentFilter chooses usages for judging. The zero value chooses all.
type SegmentFilter struct {
	SinceDay, UntilDay time.Time // day in [SinceDay, UntilDay)
	// ChangedSince chooses usages of which a finding was stored at or after
	// it, by the server's clock (see Watermark). The whole usage is returned,
	// not only what is new.
	ChangedSince time.Time
	AssetKey     string
	Host, User   string
}

// UsageSegments streams usages, divided where revisionTimes (ascending) fall
// between the starts of their windows: a window belongs to the revision in
// force when it started. The order is day, asset, host, user, revision.
func (s *Store) UsageSegments(ctx context.Context, filter SegmentFilter, revisionTimes []time.Time, each func(UsageSegment) error) error {
	w := &where{}
	w.days("toDate(f.window_start)", filter.SinceDay, filter.UntilDay)
	w.text("f.asset_key", filter.AssetKey)
	w.text("f.host_name", filter.Host)
	w.text("f.user_name", filter.User)
	if !filter.ChangedSince.IsZero() {
		changed := &where{}
		changed.days("toDate(window_start)", filter.SinceDay, filter.UntilDay)
		changed.add("inserted_at >= fromUnixTimestamp64Milli(?, 'UTC')", filter.ChangedSince.UnixMilli())
		// Without FINAL: a replaced row was a change as well.
		w.add("(toDate(f.window_start), f.asset_key, f.host_name, f.user_name) IN (SELECT toDate(window_start), asset_key, host_name, user_name FROM "+
			s.table("findings")+changed.String()+")", changed.args...)
	}
	// A revision of 12:00:00.5 is not in force for a window of 12:00:00.
	cuts := make([]int64, len(revisionTimes))
	for i, t := range revisionTimes {
		cuts[i] = t.UnixNano() / int64(time.Second)
		if t.Nanosecond() > 0 {
			cuts[i]++
		}
	}
	aggregates := segmentAggregates()
	statement := "SELECT toDate(f.window_start) AS usage_day, f.asset_key, f.host_name, f.user_name," +
		" arrayCount(t -> t <= toUnixTimestamp(f.window_start), CAST(?, 'Array(Int64)')) AS revisions, " + join(aggregates) +
		" FROM " + s.table("findings") + " AS f FINAL" + w.String() +
		" GROUP BY usage_day, f.asset_key, f.host_name, f.user_name, revisions" +
		" ORDER BY usage_day, f.asset_key, f.host_name, f.user_name, revisions"
	return s.query(ctx, "reading usage segments", statement, append([]any{cuts}, w.args...), func(rows driver.Rows) error {
		var u UsageSegment
		var revisions uint32
		dest := []any{&u.Day, &u.AssetKey, &u.Host, &u.User, &revisions}
		for _, a := range aggregates {
			dest = append(dest, a.dest(&u))
		}
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("store: reading usage segments: %w", err)
		}
		u.Revisions = int(revisions)
		return each(u)
	})
}

// overlap is how far a watermark lies behind the server's clock: an insert
// that began earlier than that has ended. What falls into it is read twice,
// which changes nothing.
const overlap = 30 * time.Second

// Watermark is the time to give as ChangedSince the next time: take it before
// reading, keep it after what was read is judged.
func (s *Store) Watermark(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.do(ctx, "reading the clock", func() error {
		return s.conn.QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now)
	})
	return now.UTC().Add(-overlap), err
}

// ChangedDay is a day of which findings were stored.
type ChangedDay struct {
	Day      time.Time // UTC midnight
	Findings uint64    // rows stored, repeats included
}

// ChangedUsageDays streams the days of which a finding was stored at or after
// since, by the server's clock, oldest first.
func (s *Store) ChangedUsageDays(ctx context.Context, since time.Time, each func(ChangedDay) error) error {
	w := &where{}
	if !since.IsZero() {
		w.add("inserted_at >= fromUnixTimestamp64Milli(?, 'UTC')", since.UnixMilli())
	}
	statement := "SELECT toDate(window_start) AS d, count() FROM " + s.table("findings") + w.String() + " GROUP BY d ORDER BY d"
	return s.query(ctx, "reading changed days", statement, w.args, func(rows driver.Rows) error {
		var d ChangedDay
		if err := rows.Scan(&d.Day, &d.Findings); err != nil {
			return fmt.Errorf("store: reading changed days: %w", err)
		}
		return each(d)
	})
}
