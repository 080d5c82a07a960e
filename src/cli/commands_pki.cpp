// Commands that make certificates for agents and those who call them.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> pki_commands() {
  const Flag dir{.name = "dir",
                 .type = FlagType::text,
                 .help = "the authority's directory; default: pki in the state directory",
                 .value_name = "DIR"};
  return {
      {.path = "pki init",
       .summary = "make an authority that signs certificates",
       .description = "Makes the key and the certificate of an authority (ECDSA P-256): ca.key, which stays where it "
                      "is, and ca.crt,\n"
                      "which every agent and every caller needs. Nothing that exists is overwritten.",
       .flags = {dir,
                 {.name = "days",
                  .type = FlagType::integer,
                  .help = "how long it is valid",
                  .value_name = "N",
                  .default_value = "3650"},
                 {.name = "name",
                  .type = FlagType::text,
                  .help = "its name in certificates",
                  .value_name = "TEXT",
                  .default_value = "Holdfast authority"}},
       .examples = {{"holdfast pki init", "once, on a machine that is well kept"}}},
      {.path = "pki issue",
       .summary = "make a certificate for an agent or a caller",
       .description = "Makes NAME.key and NAME.crt, signed by the authority of `pki init`. KIND is what the holder may "
                      "do: `observe`\n"
                      "looks, `operate` looks and changes, `agent` answers for a database server and copies from other "
                      "agents. An\n"
                      "agent's NAME is the name or address by which it is called; --san gives it further ones. A "
                      "running agent uses a\n"
                      "replaced certificate without a restart.",
       .flags = {{.name = "san",
                  .type = FlagType::list,
                  .help = "a further name or address of the host",
                  .value_name = "NAME"},
                 {.name = "days",
                  .type = FlagType::integer,
                  .help = "how long it is valid, at most as long as the authority",
                  .value_name = "N",
                  .default_value = "365"},
                 dir,
                 {.name = "out",
                  .type = FlagType::text,
                  .help = "where the files go; default: the authority's directory",
                  .value_name = "DIR"}},
       .positionals = {{"KIND", "agent, operate or observe", true}, {"NAME", "of the host or person", true}},
       .examples = {{"holdfast pki issue agent db1.example --san 10.0.0.5", "for the agent on a database host"},
                    {"holdfast pki issue operate anna", "for a person"}}},
      {.path = "pki show",
       .summary = "what certificates say: names, role, until when",
       .description = "Lists the first certificate of each FILE; without one those of the authority's directory.",
       .flags = {dir},
       .positionals = {{"FILE...", "PEM files", false}},
       .examples = {{"holdfast pki show /etc/holdfast/agent.crt", "which one an agent has"}}},
  };
}

}  // namespace holdfast::cli
