#!/bin/sh
# Slurm epilog: leaves one event for the node's meter. It waits for nothing and always exits 0.
trap 'exit 0' EXIT HUP INT TERM
exec </dev/null >/dev/null 2>&1
case ${SLURM_JOB_GPUS-}${CUDA_VISIBLE_DEVICES-}${GPU_DEVICE_ORDINAL-} in '' | NoDevFiles | NoDevFilesNoDevFiles) exit 0 ;; esac
PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
events=${SAM_CLUSTER_EVENTS:-/run/sam-cluster/events}
[ -d "$events" ] || mkdir -p "$events"
read -r uptime _ </proc/uptime
read -r boot </proc/sys/kernel/random/boot_id
# The environment as the kernel has it: an `env` dump could be forged by a newline in a user's text.
{ printf 'sam-event 1 epilog %s %s\n' "$uptime" "$boot" && cat "/proc/$$/environ"; } >"$events/.$uptime-$$.part" &&
    mv "$events/.$uptime-$$.part" "$events/$uptime-$$.event"
# Is the agent there? Beside the events stand its process id and when it began (field 22 of its stat): no
# fork is needed to see it alive, and whoever has the id of one that was killed is not taken for it.
read -r agent began <"$events.agent" &&
    read -r _ _ state _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ born _ <"/proc/$agent/stat" &&
    [ "$born" = "$began" ] && [ "$state" != Z ] && exit 0
# With systemd a path unit starts it, outside the cgroup of slurmd.
[ -d /run/systemd/system ] && [ -e /etc/systemd/system/multi-user.target.wants/sam-agent.path ] && exit 0
# In a session of its own before the hook ends, for slurmd then kills the hook's process group: the outer
# setsid has left it when it starts the inner one, which alone would return before its child has left.
setsid setsid -f env -i PATH="$PATH" SLURMD_NODENAME="${SLURMD_NODENAME-}" SAM_CLUSTER_EVENTS="$events" \
    SAM_CLUSTER_CONFIG="${SAM_CLUSTER_CONFIG-}" "${SAM_AGENT:-/opt/sam-cluster/bin/sam-agent}" run
exit 0
