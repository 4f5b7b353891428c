package pipeline

import "time"

// clock tells the time twice: as the wall shows it, and as a span that no
// setting of the clock changes.
type clock struct {
	wall  func() time.Time
	since func() time.Duration
}

func systemClock() clock {
	start := time.Now()
	return clock{wall: time.Now, since: func() time.Duration { return time.Since(start) }}
}

// jumpTolerance is how far the wall clock may fall behind before it counts as
// set back; smaller steps come from slewing.
const jumpTolerance = 2 * time.Second

// rememberedStarts bounds how many window starts are remembered, so that a
// clock set back does not lead to the same start twice: two weeks of five minutes.
const rememberedStarts = 4096

// windows is the current folding window.
type windows struct {
	length     time.Duration
	clock      clock
	start, end time.Time // UTC, whole seconds

	begunWall time.Time
	begunMono time.Duration

	used map[int64]struct{}
	ring []int64
	next int
}

// newWindows begins the first window at the current second rather than at the
// aligned instant: an agent that ran until just now may have used that one.
func newWindows(length time.Duration, clock clock) windows {
	w := windows{length: length, clock: clock, used: make(map[int64]struct{}), ring: make([]int64, rememberedStarts)}
	now := clock.wall()
	w.begin(now, now.UTC().Truncate(time.Second))
	return w
}

// begin starts a window at start, or at the next second that none started at.
func (w *windows) begin(now, start time.Time) {
	for {
		if _, taken := w.used[start.Unix()]; !taken {
			break
		}
		start = start.Add(time.Second)
	}
	delete(w.used, w.ring[w.next])
	w.ring[w.next] = start.Unix()
	w.next = (w.next + 1) % len(w.ring)
	w.used[start.Unix()] = struct{}{}
	w.start = start
	w.end = now.UTC().Truncate(w.length).Add(w.length)
	if !w.end.After(start) {
		w.end = start.Add(time.Second)
	}
	w.begunWall, w.begunMono = now, w.clock.since()
}

// roll begins the next window where the current one is over, by the wall or by
// the span since it began. jumped says that the clock was set back.
func (w *windows) roll() (ended, jumped bool) {
	now := w.clock.wall()
	passed := w.clock.since() - w.begunMono
	jumped = now.Round(0).Sub(w.begunWall.Round(0)) < passed-jumpTolerance
	over := !now.Before(w.end) || passed >= w.end.Sub(w.begunWall.Round(0))
	if !over && !jumped {
		return false, false
	}
	start := now.UTC().Truncate(w.length)
	if _, taken := w.used[start.Unix()]; taken {
		start = now.UTC().Truncate(time.Second)
	}
	w.begin(now, start)
	return true, jumped
}

// restart begins a new window now, before the current one is over. Folds that
// stay open keep theirs.
func (w *windows) restart() {
	now := w.clock.wall()
	w.begin(now, now.UTC().Truncate(time.Second))
}

// left is how long the current window lasts; at least a moment, so that a timer
// set to it does not spin.
func (w *windows) left() time.Duration {
	passed := w.clock.since() - w.begunMono
	return max(w.end.Sub(w.begunWall.Round(0))-passed, 10*time.Millisecond)
}
