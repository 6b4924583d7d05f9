#!/usr/bin/env bash
# Makes starter/ from the public lists it is chosen from. Run it when those are renewed; the result is committed.
#
#   STAIRGATE_CORPUS=../shared blocklists/make-starter.sh
#
# In: lists/*/*.zst and queries/*.zst of the corpus (NOTICE.md names the repository, commit and licence of each).
# Out: starter/CATEGORY/NAME.FORMAT, sorted, the same bytes for the same input.
# Sources under the Unlicense, CC0 or MIT only. Rankings (OpenDNS, Umbrella) decide which names come first; nothing of them is copied.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"
corpus=${STAIRGATE_CORPUS:-../../shared}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# names FILE...: the valid names of lists in hosts, domains, adblock or dlc form: lower case, sorted, without "www.".
names() {
    local file
    for file in "$@"; do zstd -dc "$corpus/lists/$file.zst"; echo; done |
        tr -d '\r' | tr '[:upper:]' '[:lower:]' |
        sed -E 's/[#!].*//; s/^\|\|//; s/\^$//; s/^(full|domain)://; s/[[:space:]]+$//' |
        awk 'NF == 1 || NF == 2 { n = $NF; sub(/^www\./, "", n); print n }' |
        grep -E '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]*[a-z0-9]$' | sort -u
}

# agreed N FILE...: the names that at least N of the lists hold.
agreed() {
    local least=$1 file
    shift
    for file in "$@"; do names "$file"; done | sort | uniq -c | awk -v least="$least" '$1 >= least { print $2 }'
}

# both A B, either A...: of sorted files of names.
both() { comm -12 "$1" "$2"; }
either() { sort -u "$@"; }

# shortest N: the N shortest names; a short name is an old and much used one more often than a long one.
shortest() { awk '{ print length($0), $0 }' | sort -k1,1n -k2 | awk -v most="$1" 'NR <= most' | cut -d' ' -f2 | sort; }

# top: drops names that stand below another name of the same file.
top() {
    awk '{ name[$0] } END { for (n in name) { rest = n; below = 0
        while (i = index(rest, ".")) { rest = substr(rest, i + 1); if (rest in name) { below = 1; break } }
        if (!below) print n } }' | sort
}

# write FILE ABOUT LISTS: standard input less the names held out, under a heading.
write() {
    mkdir -p "$(dirname "starter/$1")"
    comm -23 - "$work/held-out" > "$work/out"
    {
        echo "# Stairgate starter list: $2"
        echo "# Taken from $3."
        echo "# Licence: Unlicense, CC0-1.0 or MIT, by source; see blocklists/NOTICE.md. Names: $(wc -l < "$work/out")."
        case $1 in
            *.hosts) sed 's/^/0.0.0.0 /' "$work/out" ;;
            *) cat "$work/out" ;;
        esac
    } > "starter/$1"
    echo "starter/$1: $(wc -l < "$work/out") names, $(wc -c < "starter/$1") bytes" >&2
}

grep -Ev '^(#|$)' starter-held-out.txt | sort -u > "$work/held-out"

# Every name, and every name above one, that a ranking holds.
zstd -dc "$corpus"/queries/{opendns-top-10k,umbrella-top-100k-fqdn}.txt.zst | tr '[:upper:]' '[:lower:]' |
    awk '{ n = $0; while (index(n, ".")) { print n; n = substr(n, index(n, ".") + 1) } }' | sort -u > "$work/ranked"

# Adult: what three of four lists agree on, and what two agree on if a ranking knows it. One list alone is often wrong.
adult=(adult/v2fly-category-porn.dlc adult/sinfonietta-pornography.hosts adult/4skinskywalker.hosts adult/shadowwhisperer-adult.domains)
agreed 3 "${adult[@]}" > "$work/three"
agreed 2 "${adult[@]}" | both - "$work/ranked" > "$work/two"
either "$work/three" "$work/two" | top |
    write adult/adult.domains "pornography and other sites for adults" \
        "v2fly/domain-list-community, Sinfonietta/hostfiles, 4skinSkywalker/Anti-Porn-HOSTS-File, ShadowWhisperer/BlockLists"

# Gambling: one list whole, of the other what a ranking knows and the shortest 4000.
names gambling/sinfonietta-gambling.hosts > "$work/one"
names gambling/shadowwhisperer-gambling.domains > "$work/other"
both "$work/other" "$work/ranked" > "$work/known"
shortest 4000 < "$work/other" > "$work/short"
either "$work/one" "$work/known" "$work/short" | top |
    write gambling/gambling.domains "casinos, betting, lotteries, poker" "Sinfonietta/hostfiles, ShadowWhisperer/BlockLists"

# Drugs: of a list made mostly of pharmacies, the names that say which drug; vaping shops whole.
names drugs/blocklistproject-drugs.domains |
    grep -E 'cannabis|marijuana|weed|hemp|ganja|420|bong|kratom|steroid|cocaine|heroin|lsd|mdma|mushroom|psilo|opioid|leafly|rollitup|viagra|cialis|levitra|xanax|valium|tramadol|ambien|oxycontin|phentermine|modafinil|codeine|adderall|vape' > "$work/drugs"
names drugs/blocklistproject-vaping.hosts | either - "$work/drugs" | top |
    write drugs/drugs.domains "drugs, prescription drugs without one, vaping" "blocklistproject/Lists"

# Violence: both lists whole.
names violence/shadowwhisperer-shock.domains violence/sinfonietta-snuff.hosts | top |
    write violence/violence.domains "gore, shock and cruelty" "ShadowWhisperer/BlockLists, Sinfonietta/hostfiles"

# Malware: ransomware whole; of the larger list what a ranking knows, what another list holds too, and the shortest 2500.
names malware/blocklistproject-ransomware.hosts > "$work/ransom"
names malware/shadowwhisperer-malware.domains > "$work/malware"
names bulk/malware/romainmarcoux-full-aa.domains bulk/malware/romainmarcoux-full-ab.domains > "$work/reported"
both "$work/malware" "$work/ranked" > "$work/known"
both "$work/malware" "$work/reported" > "$work/two"
shortest 2500 < "$work/malware" > "$work/short"
either "$work/ransom" "$work/known" "$work/two" "$work/short" | top |
    write malware/malware.domains "malicious software and what steers it" \
        "ShadowWhisperer/BlockLists, blocklistproject/Lists, romainmarcoux/malicious-domains"

# Phishing: what a list of live sites shares with another list, less every name a ranking knows (a stolen page on a good site).
names phishing/phishing-database-active.domains > "$work/active"
names bulk/phishing/phishing-database-new.domains phishing/blocklistproject-phishing.domains \
    phishing/blocklistproject-scam.hosts bulk/scam/shadowwhisperer-scam-2022.domains | either - "$work/reported" > "$work/others"
both "$work/active" "$work/others" | comm -23 - "$work/ranked" | top |
    write phishing/phishing.domains "pages that steal passwords and money" \
        "Phishing-Database/Phishing.Database, blocklistproject/Lists, romainmarcoux/malicious-domains, ShadowWhisperer/BlockLists"

# Bypass: ways around this server. Whole lists; the encrypted resolvers of the last one as hosts, since only those hosts answer DNS.
names bypass/nextdns-{proxies,tor,vpn,browsers,apple-private-relay}.domains bypass/shadowwhisperer-tunnels.domains | top |
    write bypass/vpn-proxy-tor.domains "VPNs, web proxies, Tor" "nextdns/dns-bypass-methods, ShadowWhisperer/BlockLists"
names bypass/nextdns-encrypted-dns.domains bypass/shadowwhisperer-dns.domains | top |
    write bypass/encrypted-dns.domains "resolvers that browsers and apps reach past this one" "nextdns/dns-bypass-methods, ShadowWhisperer/BlockLists"
names bypass/jpgpi250-doh.adblock |
    write bypass/doh-servers.hosts "hosts that answer DNS over HTTPS" "jpgpi250/piholemanual"
