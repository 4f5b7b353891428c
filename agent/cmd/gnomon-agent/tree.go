package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gnomon-ai/gnomon/agent/internal/application"
	"github.com/gnomon-ai/gnomon/agent/internal/config"
	"github.com/gnomon-ai/gnomon/agent/internal/export"
	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/agent/internal/heartbeat"
	"github.com/gnomon-ai/gnomon/agent/internal/logs"
	"github.com/gnomon-ai/gnomon/agent/internal/network"
	"github.com/gnomon-ai/gnomon/agent/internal/owner"
	"github.com/gnomon-ai/gnomon/agent/internal/pipeline"
	"github.com/gnomon-ai/gnomon/agent/internal/process"
	"github.com/gnomon-ai/gnomon/agent/internal/spool"
	"github.com/gnomon-ai/gnomon/agent/internal/telemetry"
)

// tree is the whole configuration of the agent: every part's own, under its word.
type tree struct {
	config.Base `yaml:",inline"`
	Collector   export.Config      `yaml:"collector"`
	Network     network.Config     `yaml:"network"`
	Process     process.Config     `yaml:"process"`
	File        files.Config       `yaml:"file"`
	Log         logs.Config        `yaml:"log"`
	Application application.Config `yaml:"application"`
	Owner       owner.Config       `yaml:"owner"`
	Fold        pipeline.Config    `yaml:"fold"`
	Spool       spoolConfig        `yaml:"spool"`
	Heartbeat   heartbeat.Config   `yaml:"heartbeat"`
	Telemetry   telemetry.Config   `yaml:"telemetry"`
}

// spoolConfig is the spool as the file writes it.
type spoolConfig struct {
	Dir      string `yaml:"dir"`       // "" is the folder "spool" in state_dir
	MaxBytes int64  `yaml:"max_bytes"` // oldest findings go beyond it, counted
}

// defaults is what holds where the file says nothing.
func defaults() *tree {
	return &tree{
		Base: config.DefaultBase(), Collector: export.DefaultConfig(), Network: network.DefaultConfig(),
		Process: process.DefaultConfig(), File: files.DefaultConfig(), Log: logs.DefaultConfig(), Application: application.DefaultConfig(), Owner: owner.DefaultConfig(),
		Fold: pipeline.DefaultConfig(), Spool: spoolConfig{MaxBytes: spool.DefaultConfig().MaxBytes},
		Heartbeat: heartbeat.DefaultConfig(), Telemetry: telemetry.DefaultConfig(),
	}
}

// load reads the file at path over the defaults.
func load(path string) (*tree, error) {
	t := defaults()
	if err := config.Load(path, t, t.sections); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *tree) sections() []config.Section {
	return []config.Section{
		{Key: "", Validate: t.Base.Validate},
		{Key: "collector", Validate: t.Collector.Validate},
		{Key: "network", Validate: t.Network.Validate},
		{Key: "process", Validate: t.Process.Validate},
		{Key: "file", Validate: t.File.Validate},
		{Key: "log", Validate: t.Log.Validate},
		{Key: "application", Validate: t.Application.Validate},
		{Key: "owner", Validate: t.Owner.Validate},
		{Key: "fold", Validate: t.Fold.Validate},
		{Key: "spool", Validate: t.spool().Validate},
		{Key: "heartbeat", Validate: t.Heartbeat.Validate},
		{Key: "telemetry", Validate: t.checkTelemetry},
	}
}

// spool is the configuration that the spool takes.
func (t *tree) spool() spool.Config {
	c := spool.DefaultConfig()
	c.Dir, c.MaxBytes = t.Spool.Dir, t.Spool.MaxBytes
	if c.Dir == "" {
		c.Dir = filepath.Join(t.StateDir, "spool")
	}
	c.SegmentBytes = min(c.SegmentBytes, c.MaxBytes/4)
	return c
}

// telemetryExport is where the agent's own metrics go.
func (t *tree) telemetryExport() export.Config {
	c := export.DefaultConfig()
	c.Endpoint, c.TokenFile, c.CAFile = t.Telemetry.Endpoint, t.Telemetry.TokenFile, t.Telemetry.CAFile
	return c
}

func (t *tree) checkTelemetry() error {
	err := t.Telemetry.Validate()
	if t.Telemetry.Endpoint != "" {
		err = errors.Join(err, t.telemetryExport().Validate())
	}
	return err
}

// quietSensors is the reason for a configuration that looks at nothing.
func (t *tree) quietSensors() error {
	if t.Network.Enabled || t.Process.Enabled || t.File.Enabled || t.Log.Enabled || t.Application.Enabled {
		return nil
	}
	return fmt.Errorf("network, process, file, log and application are all switched off: enable at least one sensor")
}
