package files

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/signatures"
)

// The Hugging Face cache: models--ORGANISATION--NAME holds snapshots/<commit>/
// with links to blobs/<digest>, or plain files where links are not to be had.
// The name comes from the folder, the format from the blob; the blob of a large
// file is named by its SHA-256. Source:
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache.

const (
	hfMaxDepth   = 8
	hfMaxCommits = 256
)

type hfRepo struct {
	dir    *folder
	blobs  *folder // nil where there is none
	org    string
	name   string
	seen   map[string]bool // blobs that a snapshot links to
	copies []signatures.File
}

// huggingface reads one repository of the cache.
func (k *worker) huggingface(d *folder) {
	r := hfRepo{dir: d, seen: make(map[string]bool)}
	parts := strings.SplitN(strings.TrimPrefix(filepath.Base(d.path), "models--"), "--", 2)
	r.name = parts[len(parts)-1]
	if len(parts) == 2 {
		r.org = parts[0]
	}
	if b, err := d.openBelow("blobs"); err == nil {
		r.blobs = b
		defer b.close()
		if k.onFolder != nil {
			k.onFolder(b.path, 0)
		}
	} else if skipReason(err) == cDenied {
		k.skip(filepath.Join(d.path, "blobs"), cDenied)
	}
	for _, commit := range k.commits(d) {
		k.snapshot(&r, "snapshots/"+commit, commit, 0)
	}
	k.orphans(&r)
}

// commits lists the snapshots, the one that refs/main names first.
func (k *worker) commits(d *folder) []string {
	sub, err := d.openBelow("snapshots")
	if err != nil {
		k.skip(filepath.Join(d.path, "snapshots"), skipReason(err))
		return nil
	}
	defer sub.close()
	if k.onFolder != nil {
		k.onFolder(sub.path, 1)
	}
	var list []string
	if err := sub.each(func(e entry) bool {
		if e.kind != kindFolder {
			return true
		}
		if len(list) >= hfMaxCommits {
			k.skip(sub.path, cTooMany)
			return false
		}
		list = append(list, e.name)
		return true
	}); err != nil {
		k.skip(sub.path, skipReason(err))
	}
	slices.Sort(list)
	if refs, err := d.openBelow("refs"); err == nil {
		main, _ := k.readSmall(refs, "main", 256)
		refs.close()
		if i := slices.Index(list, strings.TrimSpace(string(main))); i > 0 {
			list[0], list[i] = list[i], list[0]
		}
	}
	return list
}

// snapshot looks at one folder of a snapshot and those below.
func (k *worker) snapshot(r *hfRepo, rel, commit string, depth int) {
	d, err := r.dir.openBelow(rel)
	if err != nil {
		k.skip(filepath.Join(r.dir.path, filepath.FromSlash(rel)), skipReason(err))
		return
	}
	defer d.close()
	if k.onFolder != nil {
		k.onFolder(d.path, 1)
	}
	b := batch{dir: d}
	if err := d.each(func(e entry) bool {
		switch e.kind {
		case kindFolder:
			b.folders = append(b.folders, e.name)
		case kindLink:
			k.blobLink(r, &b, e.name)
		case kindFile:
			if it, ok := k.inspect(d, e.name, filepath.Join(d.path, e.name)); ok {
				b.items = append(b.items, it)
			}
		}
		return true
	}); err != nil {
		k.skip(d.path, skipReason(err))
	}
	side := k.hfSidecar(r, &b)
	for _, f := range k.group(b.items) {
		f.file.Store = "huggingface"
		k.hfParts(r, d, &f)
		side.addTo(&f.file)
		r.facts(&f.file, commit)
		if len(r.seen) == 0 && r.blobs != nil {
			r.copies = append(r.copies, f.file) // reported once its blob is known
			continue
		}
		k.deliver(signatures.KindModelFile, f.file)
	}
	if depth >= hfMaxDepth {
		if len(b.folders) > 0 {
			k.skip(d.path, cTooDeep)
		}
		return
	}
	for _, name := range b.folders {
		k.snapshot(r, rel+"/"+name, commit, depth+1)
	}
}

// facts adds what the place says. The name of the repository is the model's;
// what the header says is kept beside it.
func (r *hfRepo) facts(f *signatures.File, commit string) {
	if n := f.Facts[modelformat.FactName]; n != "" && n != r.name {
		f.Facts["header_name"] = n
	}
	f.Facts[modelformat.FactName] = oneLine(r.name)
	if r.org != "" {
		f.Facts[modelformat.FactOrganization] = oneLine(r.org)
	}
	if commit != "" {
		f.Facts["revision"] = oneLine(commit)
	}
}

// blobLink follows one link of a snapshot, if it leads to a blob of the same
// repository and nowhere else.
func (k *worker) blobLink(r *hfRepo, b *batch, name string) {
	blob, ok := r.blobOf(b.dir, name)
	if !ok {
		k.link(b.dir, name)
		return
	}
	if r.seen[blob] {
		return // an older snapshot of the same file
	}
	r.seen[blob] = true
	it, ok := k.inspect(r.blobs, blob, filepath.Join(b.dir.path, name))
	if !ok {
		return
	}
	it.more = []string{filepath.Join(r.blobs.path, blob)}
	if isHex(blob, 64) {
		it.sha256 = blob
	}
	b.items = append(b.items, it)
}

// blobOf returns the name of the blob that a link in a snapshot points to.
func (r *hfRepo) blobOf(d *folder, name string) (string, bool) {
	if r.blobs == nil {
		return "", false
	}
	to, err := d.readlink(name)
	if err != nil {
		return "", false
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(d.path, to)
	}
	dir, blob := filepath.Split(filepath.Clean(to))
	return blob, filepath.Clean(dir) == r.blobs.path
}

// hfParts resolves the pieces that a header names, which are links too.
func (k *worker) hfParts(r *hfRepo, d *folder, f *found) {
	for _, p := range f.parts {
		if strings.Contains(p.Path, "/") || p.Format != "" {
			continue
		}
		at, name := d, p.Path
		if blob, ok := r.blobOf(d, p.Path); ok {
			at, name = r.blobs, blob
		}
		if st, err := at.lstat(name); err == nil && st.kind == kindFile {
			f.file.Files = append(f.file.Files, filepath.Join(d.path, p.Path))
			f.file.Size += st.size
		}
	}
}

// hfSidecar reads config.json, itself a link.
func (k *worker) hfSidecar(r *hfRepo, b *batch) *sidecar {
	s := &sidecar{}
	any := false
	for _, name := range []string{"config.json", "adapter_config.json"} {
		at, real := b.dir, name
		if blob, ok := r.blobOf(b.dir, name); ok {
			at, real = r.blobs, blob
		}
		any = k.readJSON(at, real, s) || any
	}
	if !any {
		return nil
	}
	return s
}

// orphans looks at the blobs that no link leads to: left-overs, or the other
// copy of a plain file in a snapshot.
func (k *worker) orphans(r *hfRepo) {
	if r.blobs != nil {
		if err := r.blobs.each(func(e entry) bool {
			if e.kind == kindFile && !r.seen[e.name] {
				k.orphan(r, e.name)
			}
			return true
		}); err != nil {
			k.skip(r.blobs.path, skipReason(err))
		}
	}
	for _, f := range r.copies {
		k.deliver(signatures.KindModelFile, f)
	}
}

func (k *worker) orphan(r *hfRepo, name string) {
	path := filepath.Join(r.blobs.path, name)
	it, ok := k.inspect(r.blobs, name, path)
	if !ok {
		return
	}
	if isHex(name, 64) {
		it.sha256 = name
	}
	for i := range r.copies {
		c := &r.copies[i]
		if c.Size == it.st.size && c.Format == it.res.Format && c.Facts[modelformat.FactTensors] == it.res.Facts[modelformat.FactTensors] {
			c.Files = append(c.Files, path)
			return
		}
	}
	f := k.merge([]item{it}).file
	f.Store = "huggingface"
	r.facts(&f, "")
	k.deliver(signatures.KindModelFile, f)
}
