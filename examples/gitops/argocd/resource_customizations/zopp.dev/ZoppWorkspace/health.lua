-- Until the operator has looked at what is stored now, nothing is known: an older status says nothing of it.
local hs = { status = "Progressing", message = "Waiting for the operator" }
if obj.status == nil or obj.status.conditions == nil or
    obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local ready, stalled
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then ready = condition end
  if condition.type == "Stalled" then stalled = condition.status == "True" end
end
if ready == nil or ready.status == "Unknown" then
  return hs
end

hs.message = ready.reason .. ": " .. ready.message
if ready.status == "True" then
  hs.status = "Healthy"
elseif stalled or obj.kind ~= "ZoppSecret" then
  -- Policy is always Degraded: its sync wave would wait for a Progressing one, and a sync that waits holds up the
  -- commit that mends it.
  hs.status = "Degraded"
elseif ready.reason == "PendingApproval" then
  hs.status = "Suspended"
end
return hs
