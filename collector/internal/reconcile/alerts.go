package reconcile

import (
	"cmp"
	"slices"
)

// AlertKey names what an alert is about: an asset in a scope bucket (a business
// unit or a host group).
type AlertKey struct {
	AssetKey string
	Bucket   string
}

// Alert is one transition of a key into a worse verdict.
type Alert struct {
	Key      AlertKey
	Previous Word // "" where the key was not seen before
	Verdict  Word
}

// Digest stands for the alerts beyond a limit. Its counts sum to Count.
type Digest struct {
	Count     int
	ByVerdict map[Word]int
}

// Transitions returns one alert for each key of current whose verdict is worse
// than in previous, worst first, then by asset and bucket. A key without a
// previous verdict counts as sanctioned before. A verdict that stays or gets
// better gives none; nor does a key that is gone.
func Transitions(order []Word, previous, current map[AlertKey]Word) []Alert {
	var alerts []Alert
	for key, now := range current {
		before, seen := previous[key]
		if !seen {
			before = Sanctioned
		}
		if wordRank(order, now) >= wordRank(order, before) {
			continue
		}
		alert := Alert{Key: key, Verdict: now}
		if seen {
			alert.Previous = before
		}
		alerts = append(alerts, alert)
	}
	slices.SortFunc(alerts, func(a, b Alert) int {
		return cmp.Or(
			cmp.Compare(wordRank(order, a.Verdict), wordRank(order, b.Verdict)),
			cmp.Compare(a.Key.AssetKey, b.Key.AssetKey),
			cmp.Compare(a.Key.Bucket, b.Key.Bucket),
		)
	})
	return alerts
}

// LimitAlerts keeps the first limit alerts and counts the others in a digest,
// so that none is dropped unseen. limit below 0 counts as 0.
func LimitAlerts(alerts []Alert, limit int) (kept []Alert, rest Digest) {
	limit = min(max(limit, 0), len(alerts))
	rest = Digest{Count: len(alerts) - limit, ByVerdict: map[Word]int{}}
	for _, alert := range alerts[limit:] {
		rest.ByVerdict[alert.Verdict]++
	}
	return alerts[:limit:limit], rest
}
