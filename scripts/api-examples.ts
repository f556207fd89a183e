// An example for each method of the API, as commands of a shell. They follow one another in the order of the page, and a
// test runs them as they stand there.

/** What the examples share: where the service is, how a request is sent, and names for what they make. */
export const PREPARATION = `\
URL=http://127.0.0.1:8080
post() { curl -sS "$URL/ect.v1.$1" -H 'content-type: application/json' -d @-; }
pick() { grep -o "\\"$1\\":\\"[^\\"]*\\"" | head -1 | cut -d '"' -f 4; }
WID=$(node -p 'crypto.randomUUID()')
JTI=$(node -p 'crypto.randomUUID()')`;

/** By service and method. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  'AuthorityService.GetAuthority': posting('AuthorityService/GetAuthority', '{}'),
  'AuthorityService.Issue': keeping(
    'TOKEN',
    'token',
    'AuthorityService/Issue',
    '{"execAct": "draft_document", "aud": ["urn:example:reader"], "wid": "$WID", "jti": "$JTI", "ttl": "600s"}',
  ),
  'AuthorityService.BatchIssue': posting(
    'AuthorityService/BatchIssue',
    `{"requestId": "reviews-of-monday", "items": [
  {"reference": "first", "request": {"execAct": "review_document", "aud": ["urn:example:reader"]}},
  {"reference": "refused", "request": {"execAct": "without_an_audience"}}
]}`,
  ),
  'AuthorityService.Verify': posting(
    'AuthorityService/Verify',
    '{"token": "$TOKEN", "audience": "urn:example:reader", "requestId": "0a6f8a5e-5b6c-4f0e-9d55-3c1f2b7e8d90"}',
  ),
  'AuthorityService.BatchVerify': posting(
    'AuthorityService/BatchVerify',
    `{"items": [
  {"reference": "once more", "request": {"token": "$TOKEN", "audience": "urn:example:reader", "verifyMode": "VERIFY_MODE_REPORT"}}
]}`,
  ),
  'AuthorityService.ValidateDAG': posting(
    'AuthorityService/ValidateDAG',
    '{"token": "$TOKEN", "graphFormat": "GRAPH_FORMAT_MERMAID"}',
  ),
  'AuthorityService.AppendLedger': posting('AuthorityService/AppendLedger', '{"token": "$TOKEN"}'),
  'AuthorityService.BatchAppendLedger': posting(
    'AuthorityService/BatchAppendLedger',
    '{"items": [{"reference": "again", "request": {"token": "$TOKEN"}}]}',
  ),
  'KeyService.GetKeySet': posting('KeyService/GetKeySet', '{}'),
  'AdminService.ListKeys': keeping('KID', 'kid', 'AdminService/ListKeys', '{}'),
  'AdminService.RotateKey': posting(
    'AdminService/RotateKey',
    '{"urgent": true, "note": "the laptop of an operator was stolen", "requestId": "incident-17", "expectedCurrentKid": "$KID"}',
  ),
  'AdminService.RetireKey': posting(
    'AdminService/RetireKey',
    '{"kid": "$KID", "note": "it has signed its last token"}',
  ),
  'AdminService.RevokeKey': posting('AdminService/RevokeKey', '{"kid": "$KID", "note": "its backup was stolen"}'),
  'LedgerService.GetEntry': posting('LedgerService/GetEntry', '{"task": {"wid": "$WID", "jti": "$JTI"}}'),
  'LedgerService.GetRecording': posting(
    'LedgerService/GetRecording',
    '{"task": {"wid": "$WID", "jti": "$JTI"}, "wait": "2s", "receiptFormat": "RECEIPT_FORMAT_TLOG_PROOF"}',
  ),
  'LedgerService.ListEntries': posting(
    'LedgerService/ListEntries',
    '{"kinds": ["ENTRY_KIND_TASK"], "order": "ENTRY_ORDER_NEWEST_FIRST", "pageSize": 10}',
  ),
  'LedgerService.GetWorkflow': posting('LedgerService/GetWorkflow', '{"wid": "$WID"}'),
  'LedgerService.GetCheckpoint': posting('LedgerService/GetCheckpoint', '{}'),
  'LedgerService.GetInclusionProof': posting('LedgerService/GetInclusionProof', '{"leafIndex": "0"}'),
  'LedgerService.GetConsistencyProof': posting('LedgerService/GetConsistencyProof', '{"firstTreeSize": "1"}'),
  'AdminService.MarkCompromised': posting(
    'AdminService/MarkCompromised',
    '{"task": {"wid": "$WID", "jti": "$JTI"}, "note": "the agent was hijacked"}',
  ),
};

function posting(method: string, request: string): string {
  return `post ${method} <<END\n${request}\nEND`;
}

/** Keeps one field of the answer in a variable, for the examples that follow. */
function keeping(variable: string, field: string, method: string, request: string): string {
  return `${variable}=$(post ${method} <<END | pick ${field}\n${request}\nEND\n)\necho "$${variable}"`;
}
