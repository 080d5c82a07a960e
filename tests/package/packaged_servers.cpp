#include "tests/package/packaged_servers.h"

#include <filesystem>

#include "tests/support/system_container.h"

namespace holdfast::test {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

namespace {

namespace fs = std::filesystem;

/// For the PostgreSQL that the system has, where the texts say 15.
Packaged of_its_version(Packaged one) {
  const std::string versions = SystemContainer::file("/usr/lib/postgresql");
  std::string newest = "15";
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(versions, none)) newest = entry.path().filename().string();
  for (std::string* text : {&one.units[0], &one.units[1], &one.data[0], &one.data[1], &one.configuration, &one.start})
    *text = replaced(*text, "15", newest);
  return one;
}

Packaged with_start(Packaged one, const std::string& start) {
  one.start = start;
  return one;
}
}  // namespace

const Packaged kMariadb = {"mariadb",
                           "mariadbd",
                           {"mariadb.service", "mariadb@second.service"},
                           {"/var/lib/mysql", "/var/lib/mysql-second"},
                           "/etc/mysql /lib/systemd/system/mariadb.service /lib/systemd/system/mariadb@.service",
                           R"(cat >/etc/mysql/mariadb.conf.d/70-orders.cnf <<'END'
[mysqld]
server-id=1
log-bin=mysql-bin
gtid-strict-mode=ON
log-slave-updates=ON
report-host=127.0.0.1
[mysqld.second]
datadir=/var/lib/mysql-second
socket=/run/mysqld/second.sock
pid-file=/run/mysqld/second.pid
port=3307
server-id=2
report-port=3307
END
install -d -o mysql -g mysql /var/lib/mysql-second
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --datadir=/var/lib/mysql >/dev/null
systemctl start mariadb.service mariadb@second.service
mariadb -e "CREATE USER keeper@'%' IDENTIFIED BY 'Keeper-1'; GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION;
  CREATE USER copier@'%' IDENTIFIED BY 'Copier-1'; GRANT REPLICATION SLAVE ON *.* TO copier@'%';
  CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, t TIMESTAMP) ENGINE=InnoDB"
mariadb -S /run/mysqld/second.sock -e "SET sql_log_bin=0; DELETE FROM mysql.global_priv WHERE User=''; FLUSH PRIVILEGES;
  CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=3306,
  MASTER_USER='copier', MASTER_PASSWORD='Copier-1', MASTER_USE_GTID=slave_pos; SET GLOBAL read_only=ON; START SLAVE")",
                           {"mariadb -N -e", "mariadb -N -S /run/mysqld/second.sock -e"},
                           {3306, 3307},
                           true,
                           "--admin-user keeper --admin-password-file keeper.password"};

const Packaged kPostgres = of_its_version({"postgres",
                                           "postgres",
                                           {"postgresql@15-main.service", "postgresql@15-second.service"},
                                           {"/var/lib/postgresql/15/main", "/var/lib/postgresql/15/second"},
                                           "/etc/postgresql /lib/systemd/system/postgresql@.service",
                                           R"([ -d /var/lib/postgresql/15/main ] || pg_createcluster 15 main >/dev/null
pg_createcluster 15 second >/dev/null
systemctl start postgresql@15-main.service
cd /
echo "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'Keeper-1'; CREATE ROLE copier REPLICATION LOGIN PASSWORD 'Copier-1';
  CREATE DATABASE shop;" | su postgres -c "psql -q"
echo "CREATE TABLE orders (id serial PRIMARY KEY, t timestamptz);" | su postgres -c "psql -q -d shop"
rm -rf /var/lib/postgresql/15/second/*
su postgres -c "PGPASSWORD=Copier-1 pg_basebackup -h 127.0.0.1 -p 5432 -U copier -D /var/lib/postgresql/15/second -R -c fast"
systemctl start postgresql@15-second.service)",
                                           {"psql-5432", "psql-5433"},
                                           {5432, 5433},
                                           false,
                                           ""});

/// As RHEL's packages and servers built from source have it: the configuration lies among the data, and it differs.
const Packaged kPostgresAlone =
    of_its_version({"postgres",
                    "postgres",
                    {"pg-orders@0.service", "pg-orders@1.service"},
                    {"/var/lib/pgsql/0", "/var/lib/pgsql/1"},
                    "/etc/systemd/system/pg-orders@.service $(ls /var/lib/pgsql/[01]/*.conf "
                    "/var/lib/pgsql/[01]/server.key /var/lib/pgsql/[01]/conf.d/* | grep -v auto.conf)",
                    R"sh(bin=/usr/lib/postgresql/15/bin
cat >/etc/systemd/system/pg-orders@.service <<END
[Service]
Type=notify
User=postgres
ExecStart=$bin/postgres -D /var/lib/pgsql/%i
KillMode=mixed
KillSignal=SIGINT
Restart=on-failure
RestartSec=1
END
install -d -o postgres -g postgres /run/postgresql
install -d -o postgres -g postgres -m 750 /var/lib/pgsql/0 /var/lib/pgsql/1
cd /
su postgres -c "$bin/initdb -g -D /var/lib/pgsql/0 --auth-local=peer --auth-host=scram-sha-256 >/dev/null" || exit 1
own() {
mkdir /var/lib/pgsql/$1/conf.d
echo "port = $2" >/var/lib/pgsql/$1/conf.d/member-$1.conf
echo "key of $1" >/var/lib/pgsql/$1/server.key
chmod 600 /var/lib/pgsql/$1/server.key
chown -R postgres:postgres /var/lib/pgsql/$1
}
echo "include_dir = 'conf.d'" >>/var/lib/pgsql/0/postgresql.conf
own 0 5432
systemctl daemon-reload
systemctl start pg-orders@0 || exit 1
echo "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'Keeper-1'; CREATE ROLE copier REPLICATION LOGIN PASSWORD 'Copier-1';
  CREATE DATABASE shop;" | su postgres -c "psql -q"
echo "CREATE TABLE orders (id serial PRIMARY KEY, t timestamptz);" | su postgres -c "psql -q -d shop"
su postgres -c "PGPASSWORD=Copier-1 $bin/pg_basebackup -h 127.0.0.1 -p 5432 -U copier -D /var/lib/pgsql/1 -R -c fast" || exit 1
rm -r /var/lib/pgsql/1/conf.d
own 1 5433
echo "# of the second one" >>/var/lib/pgsql/1/pg_hba.conf
install -d /var/lib/pgwal
mv /var/lib/pgsql/1/pg_wal /var/lib/pgwal/1
ln -s /var/lib/pgwal/1 /var/lib/pgsql/1/pg_wal
systemctl start pg-orders@1)sh",
                    {"psql-5432", "psql-5433"},
                    {5432, 5433},
                    true,
                    "",
                    "cd $1; ls -A | grep -vx -e '.*[.]conf' -e conf.d -e server.key -e pg_wal | xargs rm -rf --"});

/// The process of the second one's unit is the script that minds it, which reads no group of its own and hands over
/// where the data lies.
static const std::string kSafeStart =
    "cat >/etc/systemd/system/mariadb-safe.service <<'END'\n[Service]\n"
    "ExecStartPre=/bin/sh -c 'test -d /var/lib/mysql-second/mysql || mariadb-install-db --user=mysql "
    "--datadir=/var/lib/mysql-second'\n"
    "ExecStart=/usr/bin/mariadbd-safe --defaults-group-suffix=.second --datadir=/var/lib/mysql-second "
    "--socket=/run/mysqld/second.sock --pid-file=/run/mysqld/second.pid --skip-kill-mysqld\n"
    "ExecStartPost=/bin/sh -c 'until mariadb-admin -S /run/mysqld/second.sock ping; do sleep 0.2; done'\n"
    "END\nsystemctl daemon-reload\n" +
    replaced(kMariadb.start, "mariadb@second.service", "mariadb-safe.service");
const Packaged kMariadbSafe = [] {
  Packaged one = kMariadb;
  one.units[1] = "mariadb-safe.service";
  one.start = kSafeStart;
  one.restarts = false;
  return one;
}();

/// No package of MySQL is in the distribution: as Oracle's set it up, with a unit for each instance.
const Packaged kMysql = {"mysql",
                         "mysqld",
                         {"mysql-orders@0.service", "mysql-orders@1.service"},
                         {"/var/lib/mysql-orders-0", "/var/lib/mysql-orders-1"},
                         "/etc/mysql-orders /etc/systemd/system/mysql-orders@.service",
                         R"sh(cat >/etc/systemd/system/mysql-orders@.service <<END
[Service]
Type=notify
User=mysql
ExecStart=$HOLDFAST_PEERS/mysql/bin/mysqld --defaults-file=/etc/mysql-orders/%i/my.cnf
Restart=on-failure
RestartSec=1
LimitNOFILE=10000
END
install -d -m 755 -o mysql /run/mysqld
for n in 0 1; do
mkdir -p /etc/mysql-orders/$n/conf.d
cat >/etc/mysql-orders/$n/my.cnf <<END
[mysqld]
datadir=/var/lib/mysql-orders-$n
socket=/run/mysqld/mysql-orders-$n.sock
pid-file=/run/mysqld/mysql-orders-$n.pid
log-error=/var/log/mysql-orders-$n.log
port=$((3310 + n))
server-id=$((n + 1))
report-host=127.0.0.1
report-port=$((3310 + n))
bind-address=127.0.0.1
log-bin=orders-bin
gtid-mode=ON
enforce-gtid-consistency=ON
innodb-buffer-pool-size=64M
!includedir /etc/mysql-orders/$n/conf.d
END
install -o mysql /dev/null /var/log/mysql-orders-$n.log
install -d -o mysql -g mysql -m 750 /var/lib/mysql-orders-$n
setpriv --reuid=mysql --regid=mysql --clear-groups $HOLDFAST_PEERS/mysql/bin/mysqld --defaults-file=/etc/mysql-orders/$n/my.cnf --initialize-insecure || exit 1
done
systemctl daemon-reload
systemctl start mysql-orders@0 mysql-orders@1 || exit 1
for n in 0 1; do
printf '#!/bin/sh\nexec %s/mysql/bin/mysql -uroot -N -S /run/mysqld/mysql-orders-%s.sock -e "$1"\n' $HOLDFAST_PEERS $n >/usr/local/bin/mysql-$n
chmod 755 /usr/local/bin/mysql-$n
done
mysql-0 "CREATE USER keeper@'%' IDENTIFIED BY 'Keeper-1'; GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION;
  CREATE USER copier@'%' IDENTIFIED BY 'Copier-1'; GRANT REPLICATION SLAVE ON *.* TO copier@'%';
  CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, t TIMESTAMP)"
mysql-1 "RESET BINARY LOGS AND GTIDS; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=3310,
  SOURCE_USER='copier', SOURCE_PASSWORD='Copier-1', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1;
  SET GLOBAL super_read_only=ON; START REPLICA")sh",
                         {"mysql-0", "mysql-1"},
                         {3310, 3311},
                         true,
                         "--admin-user keeper --admin-password-file keeper.password"};

/// Their logs lie elsewhere, of both servers in one directory.
static const std::string kMariadbLogsStart =
    "install -d -o mysql -g adm -m 2750 /var/log/mysql\n" +
    replaced(replaced(kMariadb.start, "log-bin=mysql-bin\n", "log-bin=/var/log/mysql/bin\n"), "[mysqld.second]\n",
             "[mysqld.second]\nlog-bin=/var/log/mysql/bin-second\nrelay-log=/var/log/mysql/relay-second\n");
static const std::string kMysqlLogsStart =
    "install -d -o mysql -g adm -m 2750 /var/log/mysql\n" +
    replaced(kMysql.start, "gtid-mode=ON\n",
             "gtid-mode=ON\nlog-bin=/var/log/mysql/bin-$n\nrelay-log=/var/log/mysql/relay-$n\n");
const Packaged kMariadbLogs = with_start(kMariadb, kMariadbLogsStart);
const Packaged kMysqlLogs = with_start(kMysql, kMysqlLogsStart);

/// Its agent is root, whom the kernel names, and its data is not laid out as by default.
const Packaged kMariadbRoot = [] {
  Packaged one = kMariadb;
  one.account = "";
  one.start =
      "rm -rf /var/lib/mysql/*\n"
      "printf '[mysqld]\ninnodb-page-size=32k\nlower-case-table-names=1\ninnodb-undo-tablespaces=3\n' "
      ">/etc/mysql/mariadb.conf.d/60-layout.cnf\n" +
      replaced(one.start, "mariadb -e \"CREATE USER",
               "mariadb -e \"DELETE FROM mysql.global_priv WHERE User=''; FLUSH PRIVILEGES; CREATE USER");
  return one;
}();

}  // namespace holdfast::test
