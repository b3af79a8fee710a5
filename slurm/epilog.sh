#!/bin/sh
# Slurm epilog: leaves one event for the node's meter. It waits for nothing and always exits 0.
trap 'exit 0' EXIT HUP INT TERM
exec </dev/null >/dev/null 2>&1
[ -n "${SLURM_JOB_GPUS-}${CUDA_VISIBLE_DEVICES-}${GPU_DEVICE_ORDINAL-}" ] || exit 0
PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
events=${SAM_CLUSTER_EVENTS:-/run/sam-cluster/events}
[ -d "$events" ] || mkdir -p "$events"
read -r uptime idle </proc/uptime
read -r boot </proc/sys/kernel/random/boot_id
event=$events/$uptime-$$
# The environment as the kernel has it: an `env` dump could be forged by a newline in a user's text.
{ printf 'sam-event 1 epilog %s %s\n' "$uptime" "$boot" && cat "/proc/$$/environ"; } >"$event.part" &&
    mv "$event.part" "$event.event"
# Is the agent there? It names itself in a file beside the events; no fork is needed to see it alive.
read -r agent <"$events.agent" && read -r name <"/proc/$agent/comm" && [ "$name" = sam-agent ] && exit 0
# With systemd a path unit starts it, outside the cgroup of slurmd.
[ -e /etc/systemd/system/multi-user.target.wants/sam-agent.path ] && exit 0
# In a session of its own before the hook ends, for slurmd then kills the hook's process group.
setsid -f env -i PATH="$PATH" SLURMD_NODENAME="${SLURMD_NODENAME-}" SAM_CLUSTER_EVENTS="$events" \
    SAM_CLUSTER_CONFIG="${SAM_CLUSTER_CONFIG-}" "${SAM_AGENT:-/opt/sam-cluster/bin/sam-agent}" run
exit 0
