# shellcheck shell=sh
# shellcheck disable=SC2016  # what is in single quotes is for the shell in the container
# What the scripts beside this file share; they read it with `.`.

here=${here:?set by the script that reads this file}
DEPLOY=$(dirname "$here")          # the folder of compose.yaml and .env
REPOSITORY=$(dirname "$DEPLOY")    # the clone
STATE=${STATE_DIR:-/var/lib/glimpse} # backups, and what an update remembers
BACKUPS=$STATE/backups
OLD=+6                             # whole days: copies go after a week, with what was erased since
TRIES=${TRIES:-90}                 # times two seconds, until a new version has to be ready
IMAGE=glimpse                      # of what is built here

# Nothing stops because nobody reads it any more, after a lost connection say.
say() { printf '%s\n' "$*" || true; }
warn() { printf '%s\n' "$*" >&2 || true; }
fail() {
  warn "$*"
  exit 1
}

# Looks whether this user may do it at all, before anything is changed.
need_rights() {
  [ -r "$DEPLOY/.env" ] || fail "There is no $DEPLOY/.env that you may read; run this with sudo."
  if ! { mkdir -p "$BACKUPS" && chmod 700 "$STATE" "$BACKUPS"; }; then
    fail "Backups cannot be kept in $STATE; run this with sudo."
  fi
}

compose() { docker compose --project-directory "$DEPLOY" -f "$DEPLOY/compose.yaml" "$@"; }

git_here() { git -c "safe.directory=$REPOSITORY" -C "$REPOSITORY" "$@"; }

# A variable of .env, without its quotes; empty if it is not set. The last one wins, as in compose.
setting() {
  sed -n "s/^$1=//p" "$DEPLOY/.env" | tail -n 1 | sed "s/^'\(.*\)'\$/\1/; s/^\"\(.*\)\"\$/\1/"
}

# Tells whether the image is pulled, rather than built here.
is_pulled() { [ -n "$(setting GLIMPSE_IMAGE)" ]; }

# The id of the image that the bot runs, or ran last; empty before its first start.
running_image() {
  container=$(compose ps --all --quiet bot 2>/dev/null | head -n 1)
  [ -z "$container" ] || docker inspect --format '{{.Image}}' "$container" 2>/dev/null || true
}

# Starts the bot from the image that was named, without building or pulling anything.
start_image() {
  if is_pulled; then
    GLIMPSE_IMAGE=$1 compose up --detach --no-build --pull never --force-recreate bot
  else
    unset GLIMPSE_IMAGE
    docker tag "$1" "$IMAGE:latest" &&
      compose up --detach --no-build --pull never --force-recreate bot
  fi
}

# Asks the bot whether it can answer people, and whether it runs at all; tells what it says.
is_ready() { compose exec -T bot glimpse health </dev/null 2>&1; }
is_alive() { compose exec -T bot glimpse health --live </dev/null 2>&1; }

# Waits until the bot is ready. Gives up early if it keeps ending.
wait_ready() {
  try=0
  while [ "$try" -lt "$TRIES" ]; do
    if health=$(is_ready); then return 0; fi
    container=$(compose ps --all --quiet bot 2>/dev/null | head -n 1)
    restarts=$(docker inspect --format '{{.RestartCount}}' "$container" 2>/dev/null || echo 0)
    [ "${restarts:-0}" -lt 3 ] || break
    try=$((try + 1))
    sleep 2
  done
  warn "$health"
  return 1
}

# Runs a shell line in the volume, whether the bot runs or not: in_volume 'cat > x' < FILE.
# Words after the line are its $1, $2...
in_volume() {
  line=$1
  shift
  compose run --rm --no-deps -T --entrypoint sh bot -c "$line" sh "$@"
}

# Copies the log, while it is written, to the file that is named, and reads the copy back.
# What went wrong is said; 1 if there is no copy.
copy_log() {
  target=$1
  name=.$(basename "$target").copy
  if compose exec -T bot glimpse log backup "/data/$name" </dev/null >&2 ||
    compose run --rm --no-deps -T bot log backup "/data/$name" </dev/null >&2; then
    if (umask 077 && in_volume 'cat "/data/$1"' "$name" </dev/null >"$target.part") &&
      [ -s "$target.part" ] && mv "$target.part" "$target"; then
      status=0
    else
      warn "The copy could not be written to $(dirname "$target"): is the disk full?"
      status=1
    fi
  else
    warn "The log could not be copied; is the disk full?"
    status=1
  fi
  rm -f "$target.part"
  in_volume 'rm -f "/data/$1" "/data/$1.part"' "$name" </dev/null || true
  return "$status"
}

# Puts a copy in the log's place while the bot is stopped; what was there is kept in the volume.
# 1 if the copy is not sound, and then nothing was changed.
put_log() {
  in_volume 'umask 077 && cat > /data/.incoming.db' <"$1" || return 1
  if ! compose run --rm --no-deps -T -e GLIMPSE_LOG=/data/.incoming.db bot log check </dev/null >&2
  then
    in_volume 'rm -f /data/.incoming.db*' </dev/null || true
    return 1
  fi
  # Litestream's notes beside the log speak of the database that was there.
  in_volume 'cd /data && for end in "" -wal -shm; do
      if [ -e "log.db$end" ]; then mv "log.db$end" "log.db.before-$1$end"; fi
    done && rm -rf .log.db-litestream .incoming.db-* && mv .incoming.db log.db' "$(date +%Y%m%d-%H%M%S)" </dev/null
}

# Forgets copies that are too old, here and beside the log.
tidy_backups() {
  find "$BACKUPS" -type f -mtime "$OLD" -delete
  in_volume "find /data -maxdepth 1 -name 'log.db.before-*' -mtime $OLD -delete" \
    </dev/null || true
}

# Asks a question that wants a yes; says yes by itself after --yes.
agreed() {
  [ "${assume_yes:-no}" != yes ] || return 0
  printf '%s [y/N] ' "$1"
  read -r reply || reply=
  case $reply in [yY] | [yY][eE][sS]) return 0 ;; *) return 1 ;; esac
}

# Brings the version of that commit back, from the image that was tagged for it. If it cannot read
# the log, which a newer version may have changed, puts the copy of before in its place, after
# asking. 1 if it does not get ready, 2 if nobody wanted the copy: then the bot stands still.
go_back() {
  git_here checkout --quiet --detach "$1" || return 1
  compose stop bot
  export GLIMPSE_IMAGE="$IMAGE:previous"
  if [ -s "$2" ] && ! compose run --rm --no-deps -T bot log check </dev/null >&2; then
    say "The version of before cannot read the log any more, but this copy was made before the" \
      "update: $(basename "$2")"
    agreed "Put it in the log's place? What was asked since is kept beside it for a week." || return 2
    compose stop
    put_log "$2" || return 1
  fi
  start_image "$IMAGE:previous" || return 1
  # Else the next "docker compose up" would start the image that was pulled, and did not work.
  pulled=$(setting GLIMPSE_IMAGE)
  case $pulled in
    "") ;;
    *@sha256:*) say "GLIMPSE_IMAGE in .env still names the image that did not work: change it." ;;
    *) docker tag "$IMAGE:previous" "$pulled" || return 1 ;;
  esac
  wait_ready
}
