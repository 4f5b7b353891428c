package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
)

// foldCase brings a name into the form in which names are compared here.
func foldCase(name string) string {
	if foldsCase() {
		return strings.ToLower(name)
	}
	return name
}

// item is one model file.
type item struct {
	name   string // base name
	path   string
	st     stat
	res    modelformat.Result
	sha256 string
	more   []string // further paths of the same file
}

// batch is what one folder holds.
type batch struct {
	dir     *folder
	items   []item
	loose   []string // names that are parts of models by convention
	folders []string
}

// visit looks at one folder and queues those below.
func (k *worker) visit(ctx context.Context, j job) {
	d, err := j.root.dir.openBelow(j.rel)
	if err != nil {
		k.skip(filepath.Join(j.root.path, filepath.FromSlash(j.rel)), skipReason(err))
		return
	}
	defer d.close()
	if d.stat.device != j.device {
		if _, foreign := d.foreign(); foreign {
			k.skip(d.path, cFilesystem)
			return
		}
	}
	k.counts.add(cDirectories)
	if k.onFolder != nil {
		k.onFolder(d.path, j.depth)
	}
	if k.bundle(d) {
		return
	}
	b := batch{dir: d}
	if err := d.each(func(e entry) bool { return k.entry(ctx, &b, e) }); err != nil {
		k.skip(d.path, skipReason(err))
	}
	k.looseParts(j, &b)
	k.report(&b)
	left := k.stores(d, b.folders)
	if j.alone {
		k.rest(ctx)
		return
	}
	for _, name := range left {
		k.enter(j, d, name)
	}
	k.rest(ctx)
}

// enter queues a folder.
func (k *worker) enter(j job, d *folder, name string) {
	next := job{root: j.root, rel: name, depth: j.depth + 1, device: d.stat.device}
	if j.rel != "" {
		next.rel = j.rel + "/" + name
	}
	path := joinPath(d.path, name)
	switch {
	case k.exclude.has(d.path, name) || gitObjects(d.path, name):
		k.skip(path, cExcluded)
	case next.depth > k.cfg.MaxDepth:
		k.skip(path, cTooDeep)
	case slices.ContainsFunc(k.roots, func(r *root) bool { return r != j.root && r.path == path && r.only == "" }):
		// a root of its own: looked at once
	case !k.queue.put(next):
		k.skip(path, cTooMany)
	}
}

// gitObjects says whether a folder holds Git's packed objects, which are
// compressed and so never a model.
func gitObjects(parent, name string) bool {
	return name == "objects" && strings.HasSuffix(parent, ".git")
}

// entry looks at one name.
func (k *worker) entry(ctx context.Context, b *batch, e entry) bool {
	if e.kind == kindUnknown {
		st, err := b.dir.lstat(e.name)
		if err != nil {
			k.skip(filepath.Join(b.dir.path, e.name), skipReason(err))
			return true
		}
		e.kind = st.kind
	}
	if e.kind != kindLink && k.known.has(b.dir.path, e.name) {
		if st, err := b.dir.lstat(e.name); err == nil {
			k.knownPath(filepath.Join(b.dir.path, e.name), st)
		}
	}
	switch e.kind {
	case kindFile:
		k.file(b, e.name)
	case kindFolder:
		if len(b.folders) >= k.cfg.MaxPending {
			k.skip(joinPath(b.dir.path, e.name), cTooMany)
			return true
		}
		b.folders = append(b.folders, e.name)
	case kindLink:
		k.link(b.dir, e.name)
	default:
		k.skip(filepath.Join(b.dir.path, e.name), cNotRegular)
	}
	return ctx.Err() == nil
}

// link counts a link: one that points below the roots loses nothing, since its
// target is looked at where it lies.
func (k *worker) link(d *folder, name string) {
	to, err := d.readlink(name)
	if err != nil {
		k.skip(filepath.Join(d.path, name), skipReason(err))
		return
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(d.path, to)
	}
	to = filepath.Clean(to)
	for _, r := range k.roots {
		if _, ok := below(r.path, to); ok && r.only == "" {
			k.counts.add(cLinkInside)
			return
		}
	}
	k.skip(filepath.Join(d.path, name), cLinkOutside)
}

// file looks at one file of a folder.
func (k *worker) file(b *batch, name string) {
	if k.exclude.has(b.dir.path, name) {
		k.skip(joinPath(b.dir.path, name), cExcluded)
		return
	}
	if len(b.items)+len(b.loose) >= k.cfg.MaxModels {
		k.skip(joinPath(b.dir.path, name), cTooMany)
		return
	}
	if looseName(name) {
		b.loose = append(b.loose, name)
	}
	if it, ok := k.inspect(b.dir, name, ""); ok {
		b.items = append(b.items, it)
	}
}

// inspect decides on one file. as is the path to report and to identify it by,
// where it differs from the file's own: for the blobs of a store.
func (k *worker) inspect(d *folder, name, as string) (item, bool) {
	k.counts.add(cFiles)
	k.files++
	if k.onFile != nil {
		k.onFile(d.path, name)
	}
	if partialDownload(name) {
		k.counts.add(cPartial)
		return item{}, false
	}
	st, err := d.lstat(name)
	if err != nil {
		k.skip(joinPath(d.path, name), skipReason(err))
		return item{}, false
	}
	switch {
	case st.kind != kindFile:
		k.skip(joinPath(d.path, name), cNotRegular)
		return item{}, false
	case st.size < k.cfg.MinFileSize:
		k.counts.add(cSmall)
		return item{}, false
	case st.size <= k.cfg.SmallText && otherKind(name):
		k.counts.add(cOtherKind)
		return item{}, false
	}
	path := joinPath(d.path, name)
	if as == "" {
		as = path
	}
	if k.memory != nil {
		if age := k.now().Sub(st.mtime); age >= 0 && age < k.cfg.SettleDelay && k.unsettled != nil {
			k.unsettled(d.path)
			return item{}, false
		}
		if it, known, model := k.memory.look(path, st); known {
			k.counts.add(cRemembered)
			it.path, it.name = as, filepath.Base(as)
			return it, model
		}
	}
	return k.read(d, name, as)
}

// read opens and identifies one file, again where it changed meanwhile.
func (k *worker) read(d *folder, name, as string) (item, bool) {
	path := joinPath(d.path, name)
	for try := 0; ; try++ {
		it, err := k.readOnce(d, name, as)
		switch {
		case err == nil:
			k.keep(path, it)
			return it, it.res.Format != "" && k.wanted(it.res)
		case errors.Is(err, modelformat.ErrChanged) && k.unsettled != nil:
			k.unsettled(d.path)
			k.skip(path, cChanged)
			return item{}, false
		case errors.Is(err, modelformat.ErrChanged) && try < 2:
			continue
		case errors.Is(err, modelformat.ErrChanged):
			k.skip(path, cChanged)
			return item{}, false
		case errors.Is(err, errParser):
			k.log.Error("parser failed", "path", path, "error", err)
			k.skip(path, cParserFailed)
			return item{}, false
		default:
			k.skip(path, skipReason(err))
			return item{}, false
		}
	}
}

func (k *worker) readOnce(d *folder, name, as string) (item, error) {
	f, st, err := d.open(name)
	if err != nil {
		return item{}, err
	}
	defer f.close()
	k.counts.add(cRead)
	it := item{name: filepath.Base(as), path: as, st: st}
	if it.res, err = k.identify(f, st.size, as); err != nil {
		return item{}, err
	}
	if it.res.Format != "" && !it.res.Data && st.size <= k.cfg.HashLimitBytes {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, st.size)); err != nil {
			return item{}, err
		}
		it.sha256 = hex.EncodeToString(h.Sum(nil))
	}
	after, err := f.stat()
	if err != nil {
		return item{}, err
	}
	if !after.same(st) {
		return item{}, modelformat.ErrChanged
	}
	return it, nil
}

// errParser says that a parser panicked.
var errParser = errors.New("parser panicked")

// identify guards the parsers: whatever a file makes of them, the walk goes on.
func (k *worker) identify(r io.ReaderAt, size int64, path string) (res modelformat.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			k.counts.add(cPanics)
			k.id = modelformat.NewIdentifier(modelformat.Options{Budget: k.cfg.MaxFileRead})
			res, err = modelformat.Result{}, errParser
		}
	}()
	return k.parse(k.id, r, size, path)
}

// wanted says whether a result is reported, and counts.
func (k *worker) wanted(res modelformat.Result) bool {
	if res.Data && !k.cfg.ReportData {
		k.counts.add(cData)
		return false
	}
	k.counts.add(cModels)
	return true
}

// keep remembers what a file is.
func (k *worker) keep(path string, it item) {
	if k.memory == nil {
		return
	}
	model := it.res.Format != "" && (!it.res.Data || k.cfg.ReportData)
	if !k.memory.keep(path, it, model, k.cfg.MaxModels) {
		k.counts.add(cNotRemembered)
	}
}
