// Package declare takes and answers what people declare: the Inventory service
// over the state database.
//
// It may import state, inventory and reconcile, and api for who calls. It does
// not judge usage: judge does, and is told of every change.
package declare

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/collector/internal/api"
	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Inventory serves the inventory and the directory.
type Inventory struct {
	state    *state.State
	settings reconcile.Settings
	// catalogue tells what a name would be taken for.
	catalogue *signatures.Set
	// changed is called after every accepted change.
	changed func()
	now     func() time.Time
	// changing is held from reading what is in force to writing what follows
	// from it: two imports at a time would else undo each other.
	changing sync.Mutex
}

// NewInventory returns the service.
func NewInventory(s *state.State, settings reconcile.Settings, catalogue *signatures.Set, changed func()) *Inventory {
	return &Inventory{state: s, settings: settings, catalogue: catalogue, changed: changed, now: time.Now}
}

// DiffInventory implements the service.
func (s *Inventory) DiffInventory(ctx context.Context, r *gnomonv1.DiffInventoryRequest) (*gnomonv1.DiffInventoryResponse, error) {
	current, before, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	after, notices, err := readInventory(before, r.GetFiles(), true)
	if err != nil {
		return nil, err
	}
	diff, err := inventory.Compare(before, after)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return &gnomonv1.DiffInventoryResponse{
		Changes: newChanges(diff), Notices: append(notices, newWarnings(diff)...),
		Unchanged: uint32(len(diff.Unchanged)), BaseRevision: uint64(current.Number),
	}, nil
}

// ApplyInventory implements the service.
func (s *Inventory) ApplyInventory(ctx context.Context, r *gnomonv1.ApplyInventoryRequest) (*gnomonv1.ApplyInventoryResponse, error) {
	if err := api.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	current, before, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	after, notices, err := readInventory(before, r.GetFiles(), !r.GetReplace())
	if err != nil {
		return nil, err
	}
	diff, err := inventory.Compare(before, after)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	notices = append(notices, newWarnings(diff)...)
	response := &gnomonv1.ApplyInventoryResponse{Changes: newChanges(diff), Notices: notices, Unchanged: uint32(len(diff.Unchanged))}
	for _, n := range notices {
		if n.GetKind() == noticeRejected {
			// Nothing is applied in part: the caller sees what to mend.
			response.Revision = newRevision(&current, before)
			return response, nil
		}
	}
	base := current.Number // what the import was laid over
	if r.GetBaseRevision() > 0 {
		base = int64(r.GetBaseRevision())
	}
	revision, err := s.state.ApplyInventory(ctx, after, s.change(ctx, r.GetSource(), base))
	if err != nil {
		return nil, stateError(err)
	}
	if revision.Number != current.Number {
		s.changed()
	}
	response.Revision = newRevision(&revision, after)
	return response, nil
}

// ExportInventory implements the service.
func (s *Inventory) ExportInventory(ctx context.Context, r *gnomonv1.ExportInventoryRequest) (*gnomonv1.ExportInventoryResponse, error) {
	var (
		revision state.Revision
		document *inventory.Document
		err      error
	)
	if r.GetRevision() == 0 {
		revision, document, err = s.current(ctx)
	} else {
		revision, document, err = s.state.InventoryRevision(ctx, int64(r.GetRevision()))
	}
	if err != nil {
		return nil, stateError(err)
	}
	if document == nil {
		document = &inventory.Document{}
		document.Normalize()
	}
	render := document.YAML
	switch r.GetFormat() {
	case "", "yaml":
	case "csv":
		render = document.CSV
	default:
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("unknown format %q: use yaml or csv", r.GetFormat()))
	}
	content, err := render()
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return &gnomonv1.ExportInventoryResponse{Content: content, Revision: newRevision(&revision, document)}, nil
}

// ListRevisions implements the service.
func (s *Inventory) ListRevisions(ctx context.Context, _ *gnomonv1.ListRevisionsRequest) (*gnomonv1.ListRevisionsResponse, error) {
	revisions, err := s.state.InventoryRevisions(ctx)
	if err != nil {
		return nil, stateError(err)
	}
	snapshots, err := s.state.DirectorySnapshots(ctx)
	if err != nil {
		return nil, stateError(err)
	}
	response := &gnomonv1.ListRevisionsResponse{}
	for i := len(revisions) - 1; i >= 0; i-- {
		response.Inventory = append(response.Inventory, newRevision(&revisions[i], nil))
	}
	for i := len(snapshots) - 1; i >= 0; i-- {
		response.Directory = append(response.Directory, newRevision(&snapshots[i], nil))
	}
	return response, nil
}

// ApplyDirectory implements the service.
func (s *Inventory) ApplyDirectory(ctx context.Context, r *gnomonv1.ApplyDirectoryRequest) (*gnomonv1.ApplyDirectoryResponse, error) {
	if err := api.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	current, before, err := s.state.CurrentDirectory(ctx)
	if err != nil && !errors.Is(err, state.ErrNone) {
		return nil, stateError(err)
	}
	after, notices, err := readDirectory(before, r.GetFiles())
	if err != nil {
		return nil, err
	}
	diff, err := inventory.CompareDirectories(before, after)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	response := &gnomonv1.ApplyDirectoryResponse{Changes: newChanges(diff), Notices: notices}
	if len(notices) > 0 && notices[0].GetKind() == noticeRejected {
		response.Revision = newRevision(&current, nil)
		return response, nil
	}
	revision, err := s.state.ApplyDirectory(ctx, after, s.change(ctx, r.GetSource(), current.Number))
	if err != nil {
		return nil, stateError(err)
	}
	if revision.Number != current.Number {
		s.changed()
	}
	response.Revision = newRevision(&revision, nil)
	return response, nil
}

// TestInventory implements the service.
func (s *Inventory) TestInventory(ctx context.Context, r *gnomonv1.TestInventoryRequest) (*gnomonv1.TestInventoryResponse, error) {
	at := s.now()
	if r.GetAt() != nil {
		at = r.GetAt().AsTime()
	}
	revision, document, err := s.state.InventoryAt(ctx, at)
	if err != nil && !errors.Is(err, state.ErrNone) {
		return nil, stateError(err)
	}
	if document == nil {
		document = &inventory.Document{Schema: inventory.Schema, Defaults: inventory.Default()}
	}
	rules, err := reconcile.Compile(document, s.settings)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	usage, named := s.usageOf(r.GetName())
	if !named {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%q is neither a host name, a signature id nor model:<name>", r.GetName()))
	}
	usage.Host, usage.User, usage.Channel, usage.At = r.GetHost(), r.GetUser(), r.GetChannel(), at
	snapshot, directory, err := s.state.DirectoryAt(ctx, at)
	if err != nil && !errors.Is(err, state.ErrNone) {
		return nil, stateError(err)
	}
	if directory != nil {
		index := directory.Index()
		usage.HostLabels, usage.Network = index.Labels(usage.Host), index.Network(usage.Host)
		if usage.User != "" {
			usage.Groups = index.Groups(usage.User)
		}
	}
	verdict := rules.JudgeExplain(&usage)
	response := &gnomonv1.TestInventoryResponse{
		Judgement: &gnomonv1.Judgement{
			Verdict: string(verdict.Verdict), Reason: verdict.ReasonText(), Dimensions: verdict.Dimensions.Names(), EntryId: verdict.EntryID,
			InventoryRevision: uint64(revision.Number), DirectorySnapshot: uint64(snapshot.Number), EvaluatedAt: timestamppb.New(s.now()),
		},
		SignatureId: usage.SignatureID,
	}
	for _, step := range verdict.Walk {
		response.Walk = append(response.Walk, stepText(&step))
	}
	return response, nil
}

// usageOf takes a name for a signature id, a host name or model:<name>; it is
// false for what is none of them.
func (s *Inventory) usageOf(name string) (reconcile.Usage, bool) {
	usage := reconcile.Usage{Confidence: 100}
	if model, isModel := strings.CutPrefix(name, "model:"); isModel {
		usage.Model.Name, usage.AssetKey = model, name
		return usage, model != ""
	}
	if signature, known := s.catalogue.Lookup(name); known {
		usage.AssetKey, usage.SignatureID, usage.Provider, usage.Kind = signature.ID, signature.ID, signature.Provider.ID, string(signature.Kind)
		return usage, true
	}
	host, ok := signatures.NormalizeHost(name)
	if !ok {
		return usage, false
	}
	usage.Domain, usage.AssetKey = host, host
	observation := signatures.Observation{Kind: signatures.KindTLS, Name: host, NameEvidence: signatures.EvidenceTLS}
	if matches := s.catalogue.Match(&observation, nil); len(matches) > 0 {
		best := matches[0].Signature
		usage.AssetKey, usage.SignatureID, usage.Provider, usage.Kind = best.ID, best.ID, best.Provider.ID, string(best.Kind)
		usage.Confidence = matches[0].Confidence
	}
	return usage, true
}

// stepText is one step of a walk for a person.
func stepText(s *reconcile.Step) string {
	text := fmt.Sprintf("level %d: %s (%s): %s", s.Level, s.EntryID, s.Status, s.Effect)
	if s.Reason != "" {
		text += ", " + string(s.Reason)
	}
	if s.Mismatch != 0 {
		text += ", does not match " + s.Mismatch.String()
	}
	if s.Unknown != 0 {
		text += ", unknown " + s.Unknown.String()
	}
	if s.Ceiling {
		text += ", broader approvals no longer count"
	}
	return text
}

// current returns the newest revision; a zero one and nil before the first.
func (s *Inventory) current(ctx context.Context) (state.Revision, *inventory.Document, error) {
	revision, document, err := s.state.CurrentInventory(ctx)
	if errors.Is(err, state.ErrNone) {
		return state.Revision{}, nil, nil
	}
	return revision, document, stateError(err)
}

func (s *Inventory) change(ctx context.Context, source string, base int64) state.Change {
	change := state.Change{Author: api.Caller(ctx).Name, Source: state.SourceAPI, At: s.now(), Base: base}
	switch named := state.Source(source); named {
	case state.SourceGit, state.SourceUI, state.SourceCSV:
		change.Source = named
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		if peer, err := netip.ParseAddrPort(info.Peer().Addr); err == nil {
			change.Address = peer.Addr().String()
		}
	}
	return change
}

// stateError gives an error of the state database or of a document the code
// that tells a caller what to do.
func stateError(err error) error {
	if err == nil {
		return nil
	}
	var (
		conflict *state.ConflictError
		invalid  *inventory.InvalidError
		problems strictyaml.Errors
	)
	switch {
	case errors.As(err, &conflict):
		return connect.NewError(connect.CodeAborted, err)
	case errors.As(err, &invalid), errors.As(err, &problems):
		return connect.NewError(connect.CodeInvalidArgument, err)
	case errors.Is(err, state.ErrNone):
		return connect.NewError(connect.CodeNotFound, err)
	case errors.Is(err, state.ErrStepBack):
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, err)
	}
	return connect.NewError(connect.CodeInternal, err)
}
