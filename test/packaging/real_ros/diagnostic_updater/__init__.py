"""`diagnostic_updater` with the names and habits of Jazzy: values are texts, and its timer follows the node's clock."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


class DiagnosticStatusWrapper(DiagnosticStatus):
    def summary(self, level, message):
        self.level, self.message = level, str(message)

    def add(self, key, value):
        if not isinstance(value, str):
            raise TypeError(f"diagnostic_updater: '{key}' wanted a text, got {value!r}")
        self.values.append(KeyValue(key=key, value=value))


class Updater:
    def __init__(self, node, period=1.0):
        self.node, self.hwid, self.tasks = node, "", []
        self.publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.__period = node.declare_parameter("diagnostic_updater.period", period).value
        self.timer = node.create_timer(self.__period, self.update)

    @property
    def period(self):
        return self.__period

    def add(self, *name_and_task):
        name, task = name_and_task
        self.tasks.append((name, task))
        status = DiagnosticStatusWrapper(name=name)
        status.summary(DiagnosticStatus.OK, "Node starting up")
        self.publish([status])

    def update(self):
        statuses = []
        for name, task in self.tasks:
            status = DiagnosticStatusWrapper(name=name, hardware_id=self.hwid)
            status.summary(DiagnosticStatus.ERROR, "No message was set")
            statuses.append(task(status))
        self.publish(statuses)

    def force_update(self):
        self.update()

    def setHardwareID(self, hwid):  # noqa: N802
        self.hwid = hwid

    def publish(self, statuses):
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in statuses:
            array.status.append(
                DiagnosticStatus(
                    level=status.level,
                    name=f"{self.node.get_name()}: {status.name}",
                    message=status.message,
                    hardware_id=status.hardware_id,
                    values=status.values,
                )
            )
        self.publisher.publish(array)
