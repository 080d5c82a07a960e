#include "store/open_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "store/aws_profile.h"
#include "sys/file.h"

namespace holdfast::store {
namespace {

using Env = std::map<std::string, std::string>;

EnvLookup lookup(Env env) {
  return [env](const std::string& name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

StoreOptions with_keys() {
  StoreOptions options;
  options.env = lookup({{"AWS_ACCESS_KEY_ID", "K"}, {"AWS_SECRET_ACCESS_KEY", "S"}});
  return options;
}

std::string opened(const std::string& location, const StoreOptions& options = with_keys()) {
  auto store = open_store(location, options);
  return store ? (*store)->location() : "error " + store.error().id;
}

TEST(OpenStore, understands_every_form_restic_writes) {
  EXPECT_EQ(opened("/srv/repo"), "/srv/repo");
  EXPECT_EQ(opened("repo"), "repo");
  EXPECT_EQ(opened("./s3:odd"), "./s3:odd");
  EXPECT_EQ(opened("local:/srv/repo/"), "/srv/repo");
  EXPECT_EQ(opened("s3:http://127.0.0.1:9000/bucket/a/b/"), "s3:http://127.0.0.1:9000/bucket/a/b");
  EXPECT_EQ(opened("s3:https://host/bucket"), "s3:https://host/bucket");
  EXPECT_EQ(opened("s3:s3.eu-central-1.amazonaws.com/bucket//x"), "s3:https://s3.eu-central-1.amazonaws.com/bucket/x");
  EXPECT_EQ(opened("s3:minio:9000/bucket"), "s3:https://minio:9000/bucket");
  EXPECT_EQ(opened("s3://host.example/bucket/p"), "s3:https://host.example/bucket/p");
  EXPECT_EQ(opened("rest:http://h:8000"), "rest:http://h:8000/");
  EXPECT_EQ(opened("rest:https://user:p%40ss@h/a/b/"), "rest:https://h/a/b/");
  EXPECT_EQ(opened("memory:x"), "memory:x");
}

TEST(OpenStore, refuses_the_rest_with_a_hint) {
  for (const char* location :
       {"", "local:", "s3:", "s3:host", "s3:http://host/", "s3://bucket/prefix", "s3:ftp://h/b", "s3:http://u:p@h/b",
        "s3:http://h/b/../c", "rest:", "rest:host/path", "sftp:host:/repo", "b2:bucket", "http://host/x", "rclone:x"}) {
    auto store = open_store(location, with_keys());
    ASSERT_FALSE(store) << location;
    EXPECT_EQ(store.error().error_class, ErrorClass::usage) << location;
    EXPECT_FALSE(store.error().hint.empty()) << location;
  }
}

TEST(OpenStore, no_message_shows_a_password) {
  for (const char* location : {"rest:http://user:hunter2@/x", "rest:http://user:hunter2@h:99999/",
                               "http://user:hunter2@h/x", "sftp://user:hunter2@h/x"}) {
    auto store = open_store(location, {});
    ASSERT_FALSE(store) << location;
    EXPECT_EQ(store.error().to_string().find("hunter2"), std::string::npos) << location;
    EXPECT_EQ(store.error().hint.find("hunter2"), std::string::npos) << location;
  }
  EXPECT_EQ(shown_location("rest:http://u:a@b@host/x@y"), "rest:http://host/x@y");
  EXPECT_EQ(shown_location("/plain/u:p@x"), "/plain/u:p@x");
}

TEST(OpenStore, options_are_checked) {
  StoreOptions options = with_keys();
  for (const auto& [name, value] : Env{{"s3.bucket-lookup", "dsn"},
                                       {"s3.conections", "5"},
                                       {"s3.connections", "many"},
                                       {"s3.unsafe-anonymous-auth", "maybe"},
                                       {"s3.connections", "99999"}}) {
    options.extended = {{name, value}};
    EXPECT_EQ(opened("s3:http://h/b", options), "error store.option") << name;
  }
  options.extended = {{"s3.connections", "12"}, {"s3.bucket-lookup", "dns"}};
  EXPECT_EQ((*open_store("s3:http://h/b", options))->connections(), 12u);
  options.connections = 3;
  EXPECT_EQ((*open_store("s3:http://h/b", options))->connections(), 3u);
  options.env = lookup({{"HOLDFAST_RETRY_BUDGET", "soon"}});
  EXPECT_EQ(opened("rest:http://h/", options), "error store.option");
}

TEST(OpenStore, s3_without_credentials_is_refused_unless_asked_for) {
  StoreOptions options;
  EXPECT_EQ(opened("s3:http://h/b", options), "error store.credentials");
  options.env = lookup({{"AWS_ACCESS_KEY_ID", "K"}});
  EXPECT_EQ(opened("s3:http://h/b", options), "error store.credentials");
  options.extended = {{"s3.unsafe-anonymous-auth", "true"}};
  options.env = lookup({});
  EXPECT_EQ(opened("s3:http://h/b", options), "s3:http://h/b");
}

TEST(OpenStore, memory_is_shared_by_name) {
  auto one = open_store("memory:shared", {}), two = open_store("memory:shared", {}),
       other = open_store("memory:other", {});
  ASSERT_TRUE((*one)->put("config", as_bytes("x")));
  EXPECT_TRUE(*(*two)->stat("config"));
  EXPECT_FALSE(*(*other)->stat("config"));
}

TEST(AwsProfile, files_are_read_by_profile_and_the_environment_wins) {
  auto folder = sys::TempDir::create("aws-profile");
  ASSERT_TRUE(folder);
  const std::string credentials = folder->path() + "/credentials", config = folder->path() + "/config";
  std::ofstream(credentials)
      << "# comment\n[default]\naws_access_key_id = DK\r\naws_secret_access_key=DS==\n\n[work]\n aws_access_key_id=WK\n"
         "aws_secret_access_key = WS\naws_session_token = WT\n";
  std::ofstream(config) << "[default]\nregion = eu-west-1\n[profile work]\nregion=us-west-2\n[work]\nregion=wrong\n";
  Env env{{"AWS_SHARED_CREDENTIALS_FILE", credentials}, {"AWS_CONFIG_FILE", config}};

  auto profile = find_aws_profile(lookup(env));
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->credentials.access_key, "DK");
  EXPECT_EQ(profile->credentials.secret_key.reveal(), "DS==");
  EXPECT_EQ(profile->region, "eu-west-1");

  env["AWS_PROFILE"] = "work";
  profile = find_aws_profile(lookup(env));
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->credentials.access_key, "WK");
  EXPECT_EQ(profile->credentials.session_token, "WT");
  EXPECT_EQ(profile->region, "us-west-2");

  env["AWS_ACCESS_KEY_ID"] = "EK";
  env["AWS_SECRET_ACCESS_KEY"] = "ES";
  profile = find_aws_profile(lookup(env));
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->credentials.access_key, "EK");
  EXPECT_EQ(profile->credentials.session_token, "") << "a token of other keys must not be sent along";
  EXPECT_EQ(profile->region, "us-west-2");

  auto missing = find_aws_profile(
      lookup({{"AWS_SHARED_CREDENTIALS_FILE", credentials}, {"AWS_CONFIG_FILE", config}, {"AWS_PROFILE", "play"}}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().id, "store.credentials");
  auto nothing = find_aws_profile(lookup({}));
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->credentials.access_key.empty());
}

}  // namespace
}  // namespace holdfast::store
