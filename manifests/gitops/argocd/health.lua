-- The health of a ModelDeployment for Argo CD. Its conditions are those of kstatus: Reconciling and Stalled are there
-- only while True. Needs no library, so useOpenLibs stays off. docs/gitops.md says how it is installed.

local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function is_true(kind)
  return found[kind] ~= nil and found[kind].status == "True"
end

local function health(word, kind, otherwise)
  local message = found[kind] ~= nil and found[kind].message or nil
  return { status = word, message = message or otherwise }
end

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "being deleted" }
end
-- What is said of an earlier spec is no news of this one. Until the operator looks the first time it is -1.
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not looked at this spec yet" }
end
if is_true("Stalled") then
  return health("Degraded", "Stalled", "somebody has to do something")
end
if is_true("Reconciling") then
  local reason = found.Reconciling.reason
  if reason == "Paused" or reason == "AwaitingApproval" then
    return health("Suspended", "Reconciling", "waits for a person")
  end
  return health("Progressing", "Reconciling", "rolling out")
end
if is_true("Promoted") and is_true("Ready") then
  return health("Healthy", "Promoted", "promoted")
end
if is_true("Promoted") and obj.spec.serving ~= nil and obj.spec.serving.replicas == 0 then
  return health("Suspended", "Ready", "scaled to zero")
end
return health("Progressing", "Ready", "not ready")
