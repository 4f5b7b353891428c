package inventory

// completeYAML uses every key of the specification.
const completeYAML = `schema: inventory/v1
defaults: {review_every: 180d, scope_on_unknown: flag}
entries:
  - id: openai-api
    name: OpenAI API
    kind: api_service
    provider: openai
    vendor: Microsoft
    role: deployer
    description: Batch summaries of support tickets
    intended_use: [ticket-summaries]
    status: approved
    owner: {business: ana@example.com, technical: sre@example.com, delegate: leo@example.com}
    risk: {tier: medium, eu_ai_act: limited, rationale: no decisions about people, assessed: "2026-09-01"}
    match:
      - signature: [openai.api]
        account: [org-acme]
      - domain: [api.openai.com, "*.openai.azure.com"]
      - model: {sha256: ["9f2c000000000000000000000000000000000000000000000000000000000000"]}
      - model: {name: "llama-3*", family: llama, format: gguf, license: llama3, publisher: Meta}
      - software: {publisher: "Anysphere, Inc.", name: Cursor, version: ">=1.7"}
      - extension: {store: vscode, id: github.copilot}
      - publisher: [Acme]
        provider: [openai]
    not_match:
      - signature: [openai.playground]
    scope:
      groups: [engineering]
      users: []
      hosts: ["lab-*"]
      host_labels: {managed: "true"}
      networks: [10.0.0.0/8]
      channels: [endpoint, server, gateway]
      regions: [eu]
      accounts: [org-acme]
      purposes: [ticket-summaries]
      data_classes: [public, internal]
    approval: {by: ciso@example.com, at: "2026-09-02", ref: GRC-4711, conditions: no customer PII}
    valid: {from: "2026-09-02", until: "2027-03-31"}
    review: {every: 180d, last: "2026-09-02"}
    contract: {vendor_ref: V-112, agreement: signed, dpa: signed, dpa_until: "2027-06-30", training_on_data: false, residency: eu}
    assessments: [{type: impact, ref: AIIA-9, at: "2026-08-20", next: "2027-08-20", sha256: "9f2c000000000000000000000000000000000000000000000000000000000000"}]
    alternative: azure-openai-eu
    controls: [iso42001:A.4.2, iso42001:A.10.3]
    links: {policy: https://example.com/policy}
    tags: [support]
    notes: from the register of 2025
    extra: {cost_center: "4711"}
`

const completeDirectory = `schema: directory/v1
users:
  - {name: ana, groups: [engineering, all], department: R&D, manager: leo}
  - {name: 'CORP\leo', groups: []}
hosts:
  - {name: pc-1, labels: {managed: "true", ring: "2"}, owner: ana, network: 10.1.0.0/16, location: eu}
  - {name: lab-1, network: 192.0.2.7}
`
